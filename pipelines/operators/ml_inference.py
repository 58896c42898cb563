"""ml_inference: samples to predictions and velocity windows, each sample predicted once.

sensor-data-transformed -> sensor-data-predictions, sensor-data-aggregated, dead-letters.

The rules, which depend on what the topic holds and never on how it was polled:

- A sensor has one state (h, c) of the model, of its newest boot. Rows advance it in the order of
  their sample numbers: one of an earlier boot, or whose number is not above the last one's, is
  ``skipped``. It begins at zero with a sensor's first row, with a new boot, where more than
  ``reset_gap_s`` of samples are missing, after a switch of the model, and after a row that the
  model gave no number for; each sample predicted from zero counts as one of the ``resets``.
- Where the model gives a NaN or an infinity, that row and the rest of its sensor's rows of that
  record get no prediction. They go to the dead letters as an Arrow stream of their own, or the
  pipeline stops, as ``inference.on_nan`` says.
- The state of a partition names the one model that made it. Another is adopted at the start of a
  turn, between two transactions, by :meth:`MlInference.step_all` alone, and the state is saved with
  that turn (:meth:`MlInference.must_save`). So a replay, which calls :meth:`MlInference.step`, runs
  the model that the snapshot names, and only the turn after it may switch.
- A velocity window holds predicted samples only; see :mod:`pipelines.operators.velocity_windows`.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Final

import numpy as np

from pipelines import topics
from pipelines.errors import PipelineStoppedError, UnavailableError
from pipelines.models.model_files import Model
from pipelines.models.model_source import ModelSource
from pipelines.models.sequence_inference import Infer
from pipelines.operators.eligible_rows import select_rows
from pipelines.operators.inference_layout import (
    CLOSED_WINDOW,
    COUNTS,
    NOT_A_NUMBER,
    Inferred,
    Rules,
)
from pipelines.operators.inference_outputs import Letters, Part, called, predictions_and_windows
from pipelines.operators.inference_state import InferenceState
from pipelines.operators.sample_records import SampleRecords, read_samples
from pipelines.operators.sequences import Rows, run_sequences, sequences_of
from pipelines.operators.velocity_windows import add_to_windows
from pipelines.predictions import ModelId
from pipelines.records import InputBatch, Output
from pipelines.redrive.request_record import RedriveRequest
from pipelines.settings import InferenceSettings, ProcessingSettings

SHARED_BYTES: Final = 4_000_000
"""A turn of more input than this, some 50,000 samples, is run in two shares."""

Turn = tuple[InferenceState, InputBatch]


class MlInference:
    """The operator; see :mod:`pipelines.operators.operator` and the rules above."""

    name = "ml-inference"
    input_topic = topics.TRANSFORMED
    changelog_topic = topics.ML_INFERENCE_CHANGELOG
    redrives = False
    replay_settings = ""

    def __init__(
        self,
        inference: InferenceSettings,
        processing: ProcessingSettings,
        infer: Infer,
        models: ModelSource,
        code_version: str = "",
    ) -> None:
        """``infer`` runs the models that ``models`` gives; it is called before a turn commits."""
        self._stop_at_nan = inference.on_nan == "stop"
        self._rate_hz = processing.sample_rate_hz
        self._rules = rules_of(inference, processing)
        self.rules = (
            f"sample_rate_hz={processing.sample_rate_hz:g} window_s={processing.window_s:g}"
        )
        self._infer = infer
        self._models = models
        self._letters = Letters(self.name, code_version)
        self._threads: ThreadPoolExecutor | None = None

    def new_state(self, partition: int) -> InferenceState:
        """Return the state before the first record."""
        return InferenceState(partition)

    def restore(
        self, partition: int, records: Iterable[tuple[bytes, bytes]], counts: Mapping[str, int]
    ) -> InferenceState:
        """Return the state that `changes` wrote as ``records`` when `counts` were ``counts``."""
        return InferenceState.restored(partition, records, counts)

    def as_of(self, _replay_settings: str) -> "MlInference":
        """Return itself: a change of its settings changes no prediction of before."""
        return self

    def redrive(
        self, state: InferenceState, request: RedriveRequest, at_offset: int
    ) -> list[Output]:
        """Never called: the model's state has gone past the samples of a letter."""
        raise NotImplementedError

    def must_save(self, state: InferenceState) -> bool:
        """Say whether the model was switched since the last snapshot, which names the old one."""
        return state.switched

    def changes(self, state: InferenceState) -> list[tuple[bytes, bytes | None]]:
        """Return the model and the sensors changed since the last call."""
        return state.take_changes()

    def counts(self, state: InferenceState) -> dict[str, int]:
        """Return the ledger's cumulative counts."""
        return dict(zip(COUNTS, state.counts.tolist(), strict=True))

    def step(self, state: InferenceState, batch: InputBatch) -> list[Output]:
        """Take in a batch with the model that made the state; adopt one only where there is none.

        Raises:
            UnavailableError: no model is there, or it cannot be run now.
            PipelineStoppedError: the model gave no number, and that is to stop the pipeline.
        """
        if state.model is None:
            self._adopt(state, self._wanted())
        return self._run([(state, batch)])[0]

    def step_all(self, turns: Sequence[Turn]) -> list[list[Output]]:
        """Step one turn of several partitions with the model wanted now. Raises as :meth:`step`."""
        wanted = self._models.wanted()
        for state, _ in turns:
            if wanted is None and state.model is None:
                wanted = self._wanted()
            if wanted is not None and state.model != wanted.id:
                self._adopt(state, wanted)
        if len({state.model for state, _ in turns}) != 1:
            # Restored by different models, and none is known to be wanted.
            return [self.step(state, batch) for state, batch in turns]
        shares = _shares(turns)
        if len(shares) == 1:
            return self._run(turns)
        if self._threads is None:
            self._threads = ThreadPoolExecutor(len(shares), "inference")
        running = [self._threads.submit(self._run, [turns[i] for i in share]) for share in shares]
        wait(running)
        outputs: list[list[Output]] = [[] for _ in turns]
        for share, ran in zip(shares, running, strict=True):
            for i, found in zip(share, ran.result(), strict=True):
                outputs[i] = found
        return outputs

    def _wanted(self) -> Model:
        wanted = self._models.wanted()
        if wanted is None:
            raise UnavailableError(
                "no model is ready to run: see that the model store has one behind the channel "
                "(`imustream models list`) and that the application `inference` runs"
            )
        return wanted

    def _adopt(self, state: InferenceState, model: Model) -> None:
        state.switch(model.id, model.hidden_units)

    def _run(self, turns: Sequence[Turn]) -> list[list[Output]]:
        """Prepare, infer and apply one turn of partitions whose states one model made."""
        made_by = turns[0][0].model
        assert made_by is not None
        model = self._models.get(made_by)
        parts, rows = self._prepare(turns, model)
        self._run_model(model, parts, rows)
        return [self._apply(part, model.id) for part in parts]

    def _prepare(self, turns: Sequence[Turn], model: Model) -> tuple[list[Part], Rows]:
        """Read the records, and judge which rows the model is to see."""
        read = [read_samples(state, batch, model.features) for state, batch in turns]
        rows = _rows(turns, read, len(model.features))
        parts = []
        start = 0
        for (state, batch), records in zip(turns, read, strict=True):
            end = start + len(records.samples.sensor)
            mine = Inferred._make(column[start:end] for column in rows.inferred)
            windows = select_rows(
                state.sensors,
                state.counts,
                self._rules,
                records.samples,
                mine.verdict,
                mine.at_zero,
            )
            parts.append(Part(state, batch, records, windows, mine))
            start = end
        return parts, rows

    def _run_model(self, model: Model, parts: Sequence[Part], rows: Rows) -> None:
        """Infer all rows from the states of their sensors, and move those on."""
        first = np.cumsum([0, *(len(part.state.sensors) for part in parts)])
        sequences = sequences_of(rows, int(first[-1]))
        if not len(sequences.sensor):
            return
        hidden = np.concatenate([part.state.hidden for part in parts])[sequences.sensor]
        cell = np.concatenate([part.state.cell for part in parts])[sequences.sensor]
        anew = rows.inferred.at_zero[sequences.order[sequences.start]]
        hidden[anew] = cell[anew] = 0.0
        at_zero = run_sequences(self._infer, model, rows, sequences, hidden, cell)
        # The last of a sensor's sequences leaves its state.
        last = np.flatnonzero(np.diff(sequences.sensor, append=-1))
        for part, low, high in zip(parts, first[:-1], first[1:], strict=True):
            mine = last[slice(*np.searchsorted(sequences.sensor[last], (low, high)))]
            row = sequences.sensor[mine] - low
            part.state.hidden[row] = hidden[mine]
            part.state.cell[row] = cell[mine]
            part.state.sensors["at_zero"][row[at_zero[mine]]] = 1

    def _apply(self, part: Part, model: ModelId) -> list[Output]:
        """Count what became of the rows, and return what is to be produced, in order."""
        state, samples = part.state, part.read.samples
        if self._stop_at_nan and (part.inferred.verdict == NOT_A_NUMBER).any():
            raise self._stopped(part, model)
        open_windows = int(np.count_nonzero(state.sensors["samples"]))
        closed = np.empty(part.windows + open_windows, CLOSED_WINDOW)
        count = add_to_windows(
            state.sensors,
            state.counts,
            self._rules,
            len(state.models) - 1,
            samples,
            part.inferred,
            closed,
        )
        letters = self._letters.of(part, model)
        state.count("records", len(samples.tick))
        state.count("streams", sum(stream is not None for stream in part.read.streams))
        state.count("dead_letters", len(letters))
        window_us, rate_hz = self._rules.window_us, self._rate_hz
        return predictions_and_windows(part, model, closed[:count], window_us, rate_hz) + letters

    def _stopped(self, part: Part, model: ModelId) -> PipelineStoppedError:
        row = int(np.argmax(part.inferred.verdict == NOT_A_NUMBER))
        samples = part.read.samples
        record = int(np.searchsorted(samples.first_row, row, side="right")) - 1
        return PipelineStoppedError(
            f"{self.name}: {called(model)} gave no number for sample {samples.sample_index[row]} "
            f"of sensor {part.state.ids[samples.sensor[row]]} at {part.source(record)}; nothing of "
            f"it is committed. Promote another version, or set inference.on_nan to dead_letter to "
            f"quarantine such samples and go on"
        )


def _shares(turns: Sequence[Turn]) -> list[list[int]]:
    """Return which turns are run together: all, but where there is a backlog, in two shares.

    Then one share is read and written while the model, in another process, runs the other.
    """
    sizes = [sum(map(len, batch.values)) for _, batch in turns]
    if sum(sizes) < SHARED_BYTES or len(turns) == 1:
        return [list(range(len(turns)))]
    shares: list[list[int]] = [[], []]
    loads = [0, 0]
    for i in sorted(range(len(turns)), key=lambda i: -sizes[i]):
        least = loads.index(min(loads))
        shares[least].append(i)
        loads[least] += sizes[i]
    return shares


def _rows(turns: Sequence[Turn], read: Sequence[SampleRecords], feature_count: int) -> Rows:
    """Return the rows of all partitions; sensors and records are numbered over all of them."""
    total = sum(len(records.samples.sensor) for records in read)
    features = np.empty((feature_count, total), np.float32)
    for i in range(feature_count):
        np.concatenate([records.features[i] for records in read], out=features[i])
    sensors, numbers = [], []
    first_sensor = first_record = 0
    for (state, _), records in zip(turns, read, strict=True):
        sensors.append(records.samples.sensor + first_sensor)
        count = len(records.samples.tick)
        number = np.arange(first_record, first_record + count)
        numbers.append(np.repeat(number, np.diff(records.samples.first_row)))
        first_sensor += len(state.sensors)
        first_record += count
    return Rows(
        np.concatenate(sensors),
        np.concatenate(numbers),
        features,
        Inferred(
            verdict=np.empty(total, np.uint8),
            at_zero=np.empty(total, np.bool_),
            velocity=np.empty(total, np.float32),
            moving=np.empty(total, np.float32),
        ),
    )


def rules_of(inference: InferenceSettings, processing: ProcessingSettings) -> Rules:
    """Return the settings in the units that the compiled parts work in."""
    return Rules(
        window_us=round(processing.window_s * 1e6),
        reset_gap_samples=int(inference.reset_gap_s * processing.sample_rate_hz),
        silence_ticks=processing.silence_ticks,
        forget_ticks=processing.forget_ticks,
    )
