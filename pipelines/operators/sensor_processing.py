"""sensor_processing: frames to samples and motion windows, each counted once.

imu-data-all -> sensor-data-transformed, sensor-data-aggregated, dead-letters.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from pipelines import topics
from pipelines.dead_letters import dead_letter
from pipelines.errors import PipelineStoppedError
from pipelines.frame_format import IMPLAUSIBLE_TIMESTAMP, TOO_OLD
from pipelines.frame_scanner import DeadSpan
from pipelines.frame_table import FrameTable, tabulate
from pipelines.operators import sensor_state
from pipelines.operators.advance import (
    BELOW_FLOOR,
    IMPLAUSIBLE,
    OUTLIVED,
    TAKEN,
    TICK,
    Made,
    Records,
    advance,
)
from pipelines.operators.layout import CLOSED_WINDOW, COUNTS, NONE, Rules
from pipelines.operators.operator import PartitionByPartition
from pipelines.operators.samples import empty_columns
from pipelines.operators.sensor_state import PartitionState
from pipelines.operators.window_record import ClosedWindow, window_record
from pipelines.records import Headers, InputBatch, Output
from pipelines.redrive.request_record import RedriveRequest
from pipelines.settings import ProcessingSettings
from pipelines.transformed import encode_rows

GUARD_TICKS: Final = 5
"""Seconds over which the flood guard counts a sensor's failing frames."""

_SAMPLES_CLIPPED: Final = COUNTS.index("samples_clipped")
_REPLAYED: Final = {
    "max_future_s",
    "silence_ticks",
    "forget_ticks",
    "stop_share",
    "stop_min_sensors",
}
"""Settings that an operator may mend while sensors send."""

_ARROW: Final[Headers] = [(topics.CONTENT_TYPE, topics.ARROW_TYPE.encode())]
_JSON: Final[Headers] = [(topics.CONTENT_TYPE, topics.JSON_TYPE.encode())]
_TICK: Final[Headers] = [(topics.CONTENT_TYPE, topics.TICK_TYPE.encode())]


class SensorProcessing(PartitionByPartition[PartitionState]):
    """The operator of the first pipeline; see :mod:`pipelines.operators.operator`."""

    name = "sensor-processing"
    input_topic = topics.RAW
    changelog_topic = topics.SENSOR_PROCESSING_CHANGELOG
    redrives = True

    def __init__(self, settings: ProcessingSettings, code_version: str = "") -> None:
        self._settings = settings
        self._code_version = code_version.encode()
        self._rules = rules_of(settings)
        self.rules = (
            f"sample_rate_hz={settings.sample_rate_hz:g} window_s={settings.window_s:g} "
            f"lateness_s={settings.lateness_s:g}"
        )
        self.replay_settings = settings.model_dump_json(include=_REPLAYED)

    def as_of(self, replay_settings: str) -> "SensorProcessing":
        """Return the operator under the settings that a snapshot names, to replay from there."""
        if replay_settings in ("", self.replay_settings):
            return self
        changed = json.loads(replay_settings)
        return SensorProcessing(
            self._settings.model_copy(update=changed), self._code_version.decode()
        )

    def new_state(self, partition: int) -> PartitionState:
        """Return the state before the first record."""
        return PartitionState(partition)

    def restore(
        self, partition: int, records: Iterable[tuple[bytes, bytes]], counts: Mapping[str, int]
    ) -> PartitionState:
        """Return the state that `changes` wrote as ``records`` when `counts` were ``counts``."""
        return sensor_state.restore(partition, records, counts)

    def changes(self, state: PartitionState) -> list[tuple[bytes, bytes | None]]:
        """Return the sensors changed since the last call."""
        return state.take_changes()

    def counts(self, state: PartitionState) -> dict[str, int]:
        """Return the ledger's cumulative counts."""
        return dict(zip(COUNTS, state.tables.counts.tolist(), strict=True))

    def step(self, state: PartitionState, batch: InputBatch) -> list[Output]:
        """Take in a batch and return its samples, windows, dead letters and ticks.

        Raises:
            PipelineStoppedError: a share of all sensors fails at once.
        """
        return self._take(state, batch, batch.offsets + 1)

    def redrive(
        self, state: PartitionState, request: RedriveRequest, at_offset: int
    ) -> list[Output]:
        """Take in the bytes of a dead letter as if its sensor sent them now, once more.

        They keep the offset and the reception of their source. What fails again is a new dead
        letter; so is a frame that fits neither the boot that the sensor is in nor the one before.
        """
        batch = InputBatch(
            [request.key],
            [request.value],
            np.array([request.source_offset], np.int64),
            np.array([request.failed_us], np.int64),
        )
        return self._take(state, batch, np.array([at_offset], np.int64), request)

    def _take(
        self,
        state: PartitionState,
        batch: InputBatch,
        through: npt.NDArray[np.int64],
        request: RedriveRequest | None = None,
    ) -> list[Output]:
        data = np.array([i for i, key in enumerate(batch.keys) if key is not None], np.int64)
        table = tabulate([batch.values[i] for i in data.tolist()], self._settings.sample_rate_hz)
        state.tables.counts[_SAMPLES_CLIPPED] += table.clipped
        records = _records(state, batch, data, table, through, request is not None)
        made = _room(state, records, self._rules)
        rows, closed, stopped_at = advance(state.tables, self._rules, records, made)
        if stopped_at != NONE:
            raise self._stopped(state, int(batch.offsets[stopped_at]))
        outputs = _samples_and_windows(
            state, batch, made, rows, made.closed[:closed], self._rules.window_us
        )
        shift = 0 if request is None else request.start
        outputs += self._dead_letters(state, batch, data, table, made.verdicts, shift)
        return outputs

    def _stopped(self, state: PartitionState, offset: int) -> PipelineStoppedError:
        return PipelineStoppedError(
            f"{self.name}: at {self.input_topic}/{state.partition}/{offset} more than "
            f"{self._settings.stop_share:.0%} of the active sensors sent mostly frames that cannot "
            f"be read, for {GUARD_TICKS} s; nothing of it is committed. Look at the newest dead "
            f"letters; to quarantine it all and go on, set processing.stop_min_sensors higher"
        )

    def _dead_letters(
        self,
        state: PartitionState,
        batch: InputBatch,
        data: npt.NDArray[np.int64],
        table: FrameTable,
        verdicts: npt.NDArray[np.uint8],
        shift: int,
    ) -> list[Output]:
        refused = [(int(data[i]), span) for i, span in table.dead]
        for frame in np.flatnonzero(verdicts != TAKEN).tolist():
            payload = int(np.searchsorted(table.first_frame, frame, side="right")) - 1
            record = int(data[payload])
            lead_us = int(table.timestamp_us[frame] - batch.received_us[record])
            refused.append((record, self._refused_frame(table, payload, frame, verdicts, lead_us)))
        refused.sort(key=lambda item: (item[0], item[1].start))
        return [
            dead_letter(
                span,
                pipeline=self.name,
                code_version=self._code_version,
                key=batch.keys[record],
                payload=batch.values[record],
                source=f"{self.input_topic}/{state.partition}/{batch.offsets[record]}",
                failed_us=int(batch.received_us[record]),
                shift=shift,
            )
            for record, span in refused
        ]

    def _refused_frame(
        self,
        table: FrameTable,
        payload: int,
        frame: int,
        verdicts: npt.NDArray[np.uint8],
        lead_us: int,
    ) -> DeadSpan:
        at = int(table.payload_start[payload])
        start, end = int(table.start[frame]) - at, int(table.end[frame]) - at
        if verdicts[frame] == IMPLAUSIBLE:
            # The bound may be raised later; the letter says which one held.
            detail = f"timestamp {table.timestamp_us[frame]} us is too far ahead of its reception: "
            detail += f"{lead_us} us, and {self._rules.max_future_us} us are allowed"
            return DeadSpan(start, end, IMPLAUSIBLE_TIMESTAMP, detail)
        if verdicts[frame] == OUTLIVED:
            detail = f"sample {table.base[frame]} at {table.timestamp_us[frame]} us is of a boot "
            detail += "that the sensor has left behind: backfill takes it in where it was sent"
            return DeadSpan(start, end, TOO_OLD, detail)
        assert verdicts[frame] == BELOW_FLOOR
        detail = f"sample {table.base[frame]} is older than all sample numbers still kept"
        return DeadSpan(start, end, TOO_OLD, detail)


def rules_of(settings: ProcessingSettings) -> Rules:
    """Return the settings in the units that the compiled operator works in."""
    return Rules(
        period_us=1e6 / settings.sample_rate_hz,
        lateness_us=round(settings.lateness_s * 1e6),
        window_us=round(settings.window_s * 1e6),
        max_future_us=round(settings.max_future_s * 1e6),
        step_samples=round(settings.lateness_s * settings.sample_rate_hz),
        silence_ticks=settings.silence_ticks,
        forget_ticks=settings.forget_ticks,
        guard_ticks=GUARD_TICKS,
        stop_share=settings.stop_share,
        stop_min_sensors=settings.stop_min_sensors,
    )


def _records(
    state: PartitionState,
    batch: InputBatch,
    data: npt.NDArray[np.int64],
    table: FrameTable,
    through: npt.NDArray[np.int64],
    redriven: bool,
) -> Records:
    """Join the records of a batch, ticks included, with the frames in those that have any."""
    count = len(batch.keys)
    rows = state.rows
    sensor = np.fromiter(
        (
            TICK if key is None else rows[key] if key in rows else state.row(key)
            for key in batch.keys
        ),
        np.int64,
        count,
    )
    dead = np.zeros(count, np.int64)
    for payload, _ in table.dead:
        dead[data[payload]] += 1
    frames_in = np.zeros(count, np.int64)
    frames_in[data] = np.diff(table.first_frame)
    first_frame = np.zeros(count + 1, np.int64)
    np.cumsum(frames_in, out=first_frame[1:])
    return Records(
        sensor=sensor,
        offset=batch.offsets,
        through=through,
        received_us=batch.received_us,
        size=np.fromiter(map(len, batch.values), np.int64, count),
        dead=dead,
        redriven=redriven,
        first_frame=first_frame,
        buffer=table.buffer,
        start=table.read_at,
        base=table.base,
        timestamp_us=table.timestamp_us,
        samples=table.samples,
    )


def _room(state: PartitionState, records: Records, rules: Rules) -> Made:
    """Make room for whatever the batch may make."""
    frames = len(records.start)
    spans = (records.samples * rules.period_us).astype(np.int64) // rules.window_us + 2
    windows = int(spans.sum())
    state.make_room(windows)
    return Made(
        columns=empty_columns(int(records.samples.sum())),
        closed=np.zeros(windows + state.open_windows(), CLOSED_WINDOW),
        verdicts=np.zeros(frames, np.uint8),
        rows_before=np.zeros(len(records.sensor), np.int64),
    )


def _samples_and_windows(
    state: PartitionState,
    batch: InputBatch,
    made: Made,
    rows: int,
    closed: npt.NDArray[np.void],
    window_us: int,
) -> list[Output]:
    """Return samples and windows cut at the ticks, so that order is the same in every replay."""
    outputs: list[Output] = []
    row, window = 0, 0
    for record in [i for i, key in enumerate(batch.keys) if key is None]:
        until = int(np.searchsorted(closed["record"], record, side="left"))
        outputs += _windows(state, closed[window:until], window_us)
        by_silence = int(np.searchsorted(closed["record"], record, side="right"))
        outputs += sorted(_windows(state, closed[until:by_silence], window_us), key=_by_sensor)
        outputs += _samples(state, made, row, int(made.rows_before[record]))
        value = batch.values[record]
        outputs.append(Output(topics.TRANSFORMED, None, value, _TICK))
        outputs.append(Output(topics.AGGREGATED, None, value, _TICK))
        row, window = int(made.rows_before[record]), by_silence
    outputs += _windows(state, closed[window:], window_us)
    outputs += _samples(state, made, row, rows)
    return outputs


def _samples(state: PartitionState, made: Made, start: int, end: int) -> list[Output]:
    return [
        Output(topics.TRANSFORMED, None, stream, _ARROW)
        for stream in encode_rows(made.columns, start, end, state.id_array())
    ]


def _windows(state: PartitionState, closed: npt.NDArray[np.void], window_us: int) -> list[Output]:
    return [
        Output(topics.AGGREGATED, sensor_id, window_record(sensor_id, window, window_us), _JSON)
        for sensor_id, window in (
            (state.ids[window.sensor], window)
            for window in map(ClosedWindow._make, closed.tolist())
        )
    ]


def _by_sensor(window: Output) -> tuple[bytes, bytes]:
    """Order what one tick closed by sensor, since rows are given in another order each start."""
    return window.key or b"", window.value
