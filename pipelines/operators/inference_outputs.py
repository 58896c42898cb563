"""What ml_inference produces of one partition's part of a turn."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines import topics
from pipelines.dead_letters import dead_letter
from pipelines.frame_scanner import DeadSpan
from pipelines.operators.inference_layout import NOT_A_NUMBER, PREDICTED, Inferred
from pipelines.operators.inference_state import InferenceState
from pipelines.operators.sample_records import SampleRecords
from pipelines.operators.velocity_windows import ClosedWindow, velocity_record
from pipelines.prediction_streams import PredictedRows, encode_predictions
from pipelines.predictions import ModelId
from pipelines.records import Headers, InputBatch, Output

NOT_SAMPLES: Final = "not_samples"
NO_NUMBER: Final = "not_a_number"

_ARROW: Final[Headers] = [(topics.CONTENT_TYPE, topics.ARROW_TYPE.encode())]
_JSON: Final[Headers] = [(topics.CONTENT_TYPE, topics.JSON_TYPE.encode())]
_TICK: Final[Headers] = [(topics.CONTENT_TYPE, topics.TICK_TYPE.encode())]


class Part(NamedTuple):
    """One partition's part of a turn.

    ``windows`` is how many velocity windows its rows may begin; ``inferred`` are slices of what
    is known of all rows of the turn.
    """

    state: InferenceState
    batch: InputBatch
    read: SampleRecords
    windows: int
    inferred: Inferred

    def source(self, record: int) -> str:
        """Return where a record came from, as ``topic/partition/offset``."""
        return f"{topics.TRANSFORMED}/{self.state.partition}/{self.batch.offsets[record]}"


def predictions_and_windows(
    part: Part,
    model: ModelId,
    closed: npt.NDArray[np.void],
    window_us: int,
    rate_hz: float,
) -> list[Output]:
    """Return predictions, closed windows and ticks, in an order that every replay gives again.

    So they are cut at the ticks, and what a tick closes is sorted by sensor: the rows of sensors
    are given in another order each start.
    """
    samples = part.read.samples
    outputs: list[Output] = []
    row, window = 0, 0
    for record in np.flatnonzero(samples.tick).tolist():
        until, by_silence = np.searchsorted(closed["record"], (record, record + 1)).tolist()
        outputs += _predictions(part, model, row, int(samples.first_row[record]))
        outputs += _windows(part.state, closed[window:until], window_us, rate_hz)
        silent = _windows(part.state, closed[until:by_silence], window_us, rate_hz)
        outputs += sorted(silent, key=lambda output: output.key or b"")
        outputs.append(Output(topics.PREDICTIONS, None, part.batch.values[record], _TICK))
        row, window = int(samples.first_row[record]), by_silence
    outputs += _predictions(part, model, row, len(samples.sensor))
    outputs += _windows(part.state, closed[window:], window_us, rate_hz)
    return outputs


def _predictions(part: Part, model: ModelId, start: int, end: int) -> list[Output]:
    kept = np.flatnonzero(part.inferred.verdict[start:end] == PREDICTED) + start
    samples, inferred = part.read.samples, part.inferred
    rows = PredictedRows(
        samples.sensor[kept],
        samples.boot[kept],
        samples.sample_index[kept],
        samples.timestamp_us[kept],
        inferred.velocity[kept],
        inferred.moving[kept],
    )
    return [
        Output(topics.PREDICTIONS, None, stream, _ARROW)
        for stream in encode_predictions(rows, part.state.ids, model)
    ]


def _windows(
    state: InferenceState, closed: npt.NDArray[np.void], window_us: int, rate_hz: float
) -> list[Output]:
    outputs = []
    for window in map(ClosedWindow._make, closed.tolist()):
        sensor_id, model = state.ids[window.sensor], state.models[window.model]
        value = velocity_record(sensor_id, window, model, window_us, rate_hz)
        outputs.append(Output(topics.AGGREGATED, sensor_id.encode(), value, _JSON))
    return outputs


class Letters:
    """Makes dead letters of one pipeline."""

    def __init__(self, pipeline: str, code_version: str) -> None:
        self._pipeline = pipeline
        self._code_version = code_version.encode()

    def of(self, part: Part, model: ModelId) -> list[Output]:
        """Return the dead letters of a part, in the order of the records they come from.

        They are of records that hold neither samples nor a tick, and of those rows of each sensor
        and record that the model gave no number for.
        """
        refused = [
            (record, self._letter(part, record, NOT_SAMPLES, why, None, part.batch.values[record]))
            for record, why in part.read.refused
        ]
        letters = refused + self._without_number(part, model)
        return [letter for _, letter in sorted(letters, key=lambda found: found[0])]

    def _without_number(self, part: Part, model: ModelId) -> list[tuple[int, Output]]:
        lost = np.flatnonzero(part.inferred.verdict == NOT_A_NUMBER)
        samples = part.read.samples
        runs: dict[tuple[int, int], list[int]] = {}
        records = np.searchsorted(samples.first_row, lost, side="right") - 1
        keys = zip(records.tolist(), samples.sensor[lost].tolist(), strict=True)
        for key, row in zip(keys, lost.tolist(), strict=True):
            runs.setdefault(key, []).append(row)
        letters = []
        for (record, sensor), run in runs.items():
            value = _stream_of(part, record, run)
            why = f"{called(model)} gave no number for sample {samples.sample_index[run[0]]}"
            sensor_id = part.state.ids[sensor].encode()
            letter = self._letter(part, record, NO_NUMBER, why, sensor_id, value)
            letters.append((record, letter))
        return letters

    def _letter(
        self, part: Part, record: int, reason: str, detail: str, key: bytes | None, value: bytes
    ) -> Output:
        return dead_letter(
            DeadSpan(0, len(value), reason, detail),
            pipeline=self._pipeline,
            code_version=self._code_version,
            key=key,
            payload=value,
            source=part.source(record),
            failed_us=int(part.batch.received_us[record]),
        )


def called(model: ModelId) -> str:
    """Return what a message calls a model."""
    return f"model {model.name} version {model.version}"


def _stream_of(part: Part, record: int, rows: Sequence[int]) -> bytes:
    """Return some rows of a record as an Arrow stream of their own."""
    stream = part.read.streams[record]
    assert stream is not None
    taken = stream.take(pa.array(np.array(rows) - part.read.samples.first_row[record]))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, taken.schema) as writer:
        writer.write_batch(taken)
    value: bytes = sink.getvalue().to_pybytes()
    return value
