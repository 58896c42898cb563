"""The operators of one partition, each fed with what the one before it puts out. Pure.

sensor_processing reads imu-data-all. ml_inference reads the samples and ticks that it makes, and
session_aggregation the windows and ticks of both, each under the offset in imu-data-all of the
last record that they were made of. Between two ticks, motion windows come before velocity windows.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from pipelines import topics
from pipelines.backfill.fixed_model import FixedModel
from pipelines.errors import ConfigurationError
from pipelines.models.model_files import Model
from pipelines.models.sequence_inference import OnnxSequenceInference
from pipelines.operators.ml_inference import MlInference
from pipelines.operators.operator import Operator
from pipelines.operators.sensor_processing import SensorProcessing
from pipelines.operators.sensor_state import PartitionState
from pipelines.operators.session_aggregation import SessionAggregation
from pipelines.records import InputBatch, Output
from pipelines.settings import ProcessingSettings, Settings

PIPELINES: Final = (SensorProcessing.name, MlInference.name, SessionAggregation.name)
"""What a backfill can run, in order; the first always runs, as the others read what it makes."""

OFFSET_HEADER: Final = "imu-data-all-offset"
"""The offset of what has no other mark of the records that it was made of."""

_ENDLESS: Final = 2**31
_TICK: Final = (topics.CONTENT_TYPE, topics.TICK_TYPE.encode())


def parse_pipelines(text: str) -> tuple[str, ...]:
    """Read ``--pipelines a,b``.

    Raises:
        ConfigurationError: there is no such pipeline.
    """
    asked = {name.strip() for name in text.split(",") if name.strip()}
    unknown = sorted(asked - set(PIPELINES))
    if unknown:
        raise ConfigurationError(
            f"--pipelines: there is no {unknown[0]!r} to backfill; choose of {', '.join(PIPELINES)}"
        )
    return tuple(name for name in PIPELINES if name in asked | {PIPELINES[0]})


class SavedOperator(msgspec.Struct, frozen=True):
    """An operator's state as its changelog would hold it, and its counts then."""

    counts: dict[str, int]
    state: list[tuple[bytes, bytes]]


class _Through(msgspec.Struct):
    through_offset: int


_THROUGH: Final = msgspec.json.Decoder(_Through)


class _Stage:
    """One operator, its state, and the records that would restore it."""

    def __init__(self, operator: Operator[Any], partition: int, saved: SavedOperator | None):
        self._operator = operator
        self._kept = dict(saved.state) if saved is not None else {}
        self.state: Any = (
            operator.new_state(partition)
            if saved is None
            else operator.restore(partition, saved.state, saved.counts)
        )

    def step(self, batch: InputBatch) -> list[Output]:
        return self._operator.step(self.state, batch)

    def save(self) -> SavedOperator:
        for key, value in self._operator.changes(self.state):
            if value is None:
                self._kept.pop(key, None)
            else:
                self._kept[key] = value
        return SavedOperator(self._operator.counts(self.state), sorted(self._kept.items()))


class Chain:
    """Steps the chosen pipelines, the later with the outputs of the earlier."""

    def __init__(
        self,
        pipelines: Sequence[str],
        partition: int,
        settings: Settings,
        code_version: str,
        saved: Mapping[str, SavedOperator],
        model: Model | None = None,
    ) -> None:
        """Build the operators, from ``saved`` where it has them; ml_inference needs ``model``."""
        processing = SensorProcessing(_unguarded(settings.processing), code_version)
        self._processing = _Stage(processing, partition, saved.get(processing.name))
        self._stages = {processing.name: self._processing}
        if MlInference.name in pipelines:
            assert model is not None
            inference = _inference(model, settings, code_version)
            self._stages[inference.name] = _Stage(inference, partition, saved.get(inference.name))
        if SessionAggregation.name in pipelines:
            sessions = SessionAggregation(settings.sessions, code_version)
            self._stages[sessions.name] = _Stage(sessions, partition, saved.get(sessions.name))

    @property
    def sensors(self) -> PartitionState:
        """What sensor_processing knows of the sensors."""
        state: PartitionState = self._processing.state
        return state

    def step(self, batch: InputBatch) -> list[Output]:
        """Take in a batch; return the outputs of every pipeline."""
        outputs = self._processing.step(batch)
        inference = self._stages.get(MlInference.name)
        if inference is not None:
            made_of = _Made(batch)
            found = inference.step(made_of.records(outputs, topics.TRANSFORMED))
            outputs = _with_velocity(outputs, made_of.placed(found))
        sessions = self._stages.get(SessionAggregation.name)
        if sessions is not None:
            outputs += sessions.step(_aggregated(outputs, batch))
        return outputs

    def save(self) -> dict[str, SavedOperator]:
        """Return the state of each pipeline."""
        return {name: stage.save() for name, stage in self._stages.items()}


def _unguarded(settings: ProcessingSettings) -> ProcessingSettings:
    """Leave out the flood guard: it asks for a person, and one has let the live run go on."""
    return settings.model_copy(update={"stop_min_sensors": _ENDLESS})


def _inference(model: Model, settings: Settings, code_version: str) -> MlInference:
    models = FixedModel(model)
    infer = OnnxSequenceInference(models.get, settings.inference.threads)
    return MlInference(settings.inference, settings.processing, infer, models, code_version)


class _Made:
    """Which record of a batch the outputs between two ticks were made of last."""

    def __init__(self, batch: InputBatch) -> None:
        self._batch = batch
        self._ticks = [row for row, key in enumerate(batch.keys) if key is None]
        self._ends = [*self._ticks, len(batch.keys)]

    def records(self, outputs: Sequence[Output], topic: str) -> InputBatch:
        """Return the outputs to a topic as its records, each under that record's offset."""
        chosen = [output for output in outputs if output.topic == topic]
        rows = [row for _, row in self._rows(chosen)]
        return InputBatch(
            keys=[output.key for output in chosen],
            values=[bytes(output.value) for output in chosen],
            offsets=self._batch.offsets[rows],
            received_us=self._batch.received_us[rows],
        )

    def placed(self, outputs: Sequence[Output]) -> list[Output]:
        """Return outputs of ml_inference with the offset said in the header `OFFSET_HEADER`."""
        return [
            output._replace(
                headers=[*output.headers, (OFFSET_HEADER, b"%d" % self._batch.offsets[row])]
            )
            for output, row in self._rows(outputs)
        ]

    def _rows(self, outputs: Sequence[Output]) -> Iterator[tuple[Output, int]]:
        at = 0
        for output in outputs:
            if is_tick(output):
                yield output, self._ticks[at]
                at += 1
            else:
                yield output, max(self._ends[at] - 1, 0)


def is_tick(output: Output) -> bool:
    """Whether an output only hands a tick on."""
    return _TICK in output.headers


def _with_velocity(outputs: Sequence[Output], inferred: Sequence[Output]) -> list[Output]:
    """Put the velocity windows between two ticks behind the motion windows there."""
    velocity: list[list[Output]] = [[]]
    others: list[Output] = []
    for output in inferred:
        if is_tick(output):
            velocity.append([])
        if output.topic == topics.AGGREGATED:
            velocity[-1].append(output)
        else:
            others.append(output)
    merged: list[Output] = []
    at = 0
    for output in outputs:
        if output.topic == topics.AGGREGATED and is_tick(output):
            merged += velocity[at]
            at += 1
        merged.append(output)
    return [*merged, *velocity[at], *others]


def _aggregated(outputs: Sequence[Output], batch: InputBatch) -> InputBatch:
    """Return the windows and ticks among ``outputs`` as records of sensor-data-aggregated."""
    records = [output for output in outputs if output.topic == topics.AGGREGATED]
    ticks = (row for row, key in enumerate(batch.keys) if key is None)
    rows: list[int] = []
    for record in records:
        if record.key is None:
            rows.append(next(ticks))
        else:
            offset = _THROUGH.decode(record.value).through_offset - 1
            rows.append(int(np.searchsorted(batch.offsets, offset)))
    return InputBatch(
        keys=[record.key for record in records],
        values=[record.value for record in records],
        offsets=batch.offsets[rows],
        received_us=batch.received_us[rows],
    )
