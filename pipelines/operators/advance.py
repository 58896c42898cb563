"""The compiled heart of sensor_processing: records in, state changed, rows and windows out."""

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from pipelines.compiled import compiled
from pipelines.operators.layout import BY_SILENCE, COUNTS, INTERVALS_PER_BOOT, NONE
from pipelines.operators.numbering import (
    CLOCK_STEP,
    NEW_BOOT,
    ON_OLD_LINE,
    mark_seen,
    place,
    start_boot,
)
from pipelines.operators.samples import emit, sample_time_us
from pipelines.operators.windows import (
    close_boot,
    close_windows,
    end_of_open_windows,
    move_watermark,
    step_clock,
)

TICK: Final = -1
"""Stands for the sensor of a record that is a tick."""

RATE_SMOOTHING: Final = 0.2

# What became of a frame.
TAKEN: Final = 0
IMPLAUSIBLE: Final = 1
BELOW_FLOOR: Final = 2
OUTLIVED: Final = 3

_RECORDS = COUNTS.index("records")
_TICKS = COUNTS.index("ticks")
_BYTES = COUNTS.index("bytes")
_FRAMES = COUNTS.index("frames")
_TRANSFORMED = COUNTS.index("transformed")
_DUPLICATES = COUNTS.index("duplicates")
_HEARTBEATS = COUNTS.index("heartbeats")
_DEAD_LETTERS = COUNTS.index("dead_letters")
_SAMPLES = COUNTS.index("samples")
_SAMPLES_TRANSFORMED = COUNTS.index("samples_transformed")
_SAMPLES_DUPLICATE = COUNTS.index("samples_duplicate")
_SAMPLES_LATE = COUNTS.index("samples_late")
_GAPS = COUNTS.index("gaps")
_GAPS_FILLED = COUNTS.index("gaps_filled")
_WINDOWS = COUNTS.index("windows")
_BOOTS = COUNTS.index("boots")
_CLOCK_STEPS = COUNTS.index("clock_steps")
_FORGOTTEN = COUNTS.index("sensors_forgotten")


class Records(NamedTuple):
    """The ``n`` records of a batch and the ``m`` frames in them.

    sensor:       ``(n,)`` row of the sensor in the state, or TICK
    offset:       ``(n,)``
    through:      ``(n,)`` what a window closed by the record says: one past its offset, or for a
                  redriven one the input's next offset
    received_us:  ``(n,)``
    size:         ``(n,)`` bytes
    dead:         ``(n,)`` dead spans found by the scanner
    redriven:     whether they come from dead-letters, behind what their sensors sent since
    first_frame:  ``(n + 1,)``
    start:        ``read_at`` of :class:`pipelines.frame_table.FrameTable`
    buffer, base, timestamp_us, samples: as there
    """

    sensor: npt.NDArray[np.int64]
    offset: npt.NDArray[np.int64]
    through: npt.NDArray[np.int64]
    received_us: npt.NDArray[np.int64]
    size: npt.NDArray[np.int64]
    dead: npt.NDArray[np.int64]
    redriven: bool
    first_frame: npt.NDArray[np.int64]
    buffer: npt.NDArray[np.uint8]
    start: npt.NDArray[np.int64]
    base: npt.NDArray[np.int64]
    timestamp_us: npt.NDArray[np.int64]
    samples: npt.NDArray[np.int64]


class Made(NamedTuple):
    """What a batch makes.

    columns:     rows of samples
    closed:      ``(w,) CLOSED_WINDOW``
    verdicts:    ``(m,) uint8`` TAKEN, IMPLAUSIBLE, BELOW_FLOOR or OUTLIVED for each frame
    rows_before: ``(n,)`` rows written before each record
    """

    columns: Any
    closed: npt.NDArray[np.void]
    verdicts: npt.NDArray[np.uint8]
    rows_before: npt.NDArray[np.int64]


@compiled
def advance(tables: Any, rules: Any, records: Any, made: Any) -> tuple[int, int, int]:
    """Take in a batch.

    Returns the rows written, the windows closed, and the record at which the flood guard stopped
    the pipeline (NONE if it did not; the state is unusable if it did).
    """
    fresh = np.empty((INTERVALS_PER_BOOT + 2, 2), np.int64)
    rows = 0
    closed = 0
    counts = tables.counts
    for record in range(len(records.sensor)):
        made.rows_before[record] = rows
        counts[_RECORDS] += 1
        if records.sensor[record] == TICK:
            closed = _tick(tables, rules, records.offset[record], record, made.closed, closed)
            if counts[_TICKS] % rules.guard_ticks == 0 and _flooded(tables, rules):
                return rows, closed, record
        else:
            rows, closed = _take(tables, rules, records, record, made, rows, closed, fresh)
    counts[_WINDOWS] += closed
    return rows, closed, NONE


@compiled
def _take(
    tables: Any,
    rules: Any,
    records: Any,
    record: int,
    made: Any,
    rows: int,
    closed: int,
    fresh: Any,
) -> tuple[int, int]:
    """Take in one device's payload."""
    counts = tables.counts
    index = records.sensor[record]
    sensor = tables.sensors[index]
    sensor.changed = 1
    sensor.forgotten = 0
    sensor.last_tick = counts[_TICKS]
    sensor.silent = 0
    sensor.received_us = (
        max(sensor.received_us, records.received_us[record])
        if records.redriven
        else records.received_us[record]
    )
    dead = records.dead[record]
    through = records.through[record]
    counts[_BYTES] += records.size[record]
    first, end = records.first_frame[record], records.first_frame[record + 1]
    for frame in range(first, end):
        timestamp_us = records.timestamp_us[frame]
        if timestamp_us > records.received_us[record] + rules.max_future_us:
            made.verdicts[frame] = IMPLAUSIBLE
            dead += 1
            continue
        base = records.base[frame]
        row, how = place(tables, rules, index, base, timestamp_us)
        if how != NEW_BOOT and base < tables.boots[row].floor and records.samples[frame] > 0:
            made.verdicts[frame] = BELOW_FLOOR
            dead += 1
            continue
        if how == NEW_BOOT and records.redriven and sensor.boot != NONE:
            # A boot begun behind the present one would close the windows of what goes on now.
            made.verdicts[frame] = OUTLIVED
            dead += 1
            continue
        made.verdicts[frame] = TAKEN
        if how == NEW_BOOT:
            closed = close_boot(tables, rules, row, record, through, made.closed, closed)
            sensor.boot += 1
            counts[_BOOTS] += 1
            start_boot(tables, rules, row, sensor.boot, base, timestamp_us)
        elif how == CLOCK_STEP:
            sensor.clock_steps += 1
            counts[_CLOCK_STEPS] += 1
            closed = step_clock(
                tables, rules, row, base, timestamp_us, record, through, made.closed, closed
            )
        rows = _take_samples(tables, rules, records, record, frame, row, made.columns, rows, fresh)
        _move_line(tables, rules, index, row, how, base, timestamp_us, records.samples[frame])
    if not records.redriven:  # What failed once and fails again is no flood.
        sensor.good_frames += end - first + records.dead[record] - dead
        sensor.bad_frames += dead
    sensor.dead_letters += dead
    counts[_DEAD_LETTERS] += dead
    counts[_FRAMES] += end - first + records.dead[record]
    closed = _close_passed(tables, rules, index, record, through, made.closed, closed)
    return rows, closed


@compiled
def _take_samples(
    tables: Any,
    rules: Any,
    records: Any,
    record: int,
    frame: int,
    row: int,
    columns: Any,
    rows: int,
    fresh: Any,
) -> int:
    """Write those samples of a frame that were not seen before; return the new count of rows."""
    counts = tables.counts
    sensor = tables.sensors[row // 2]
    samples = records.samples[frame]
    if samples == 0:
        counts[_HEARTBEATS] += 1
        return rows
    base = records.base[frame]
    parts, missing, filled = mark_seen(tables, row, base, base + samples, fresh)
    new = 0
    late = 0
    for part in range(parts):
        start, end = fresh[part, 0] - base, fresh[part, 1] - base
        late += emit(
            tables,
            rules,
            row,
            records.buffer,
            records.start[frame],
            base,
            records.timestamp_us[frame],
            start,
            end,
            records.offset[record],
            columns,
            rows + new,
        )
        new += end - start
    if new:
        counts[_TRANSFORMED] += 1
    else:
        counts[_DUPLICATES] += 1
        sensor.duplicates += 1
    sensor.samples += new
    sensor.tick_samples += new
    sensor.late += late
    sensor.gaps += missing - filled
    sensor.gaps_filled += filled
    tables.boots[row].late += late
    counts[_SAMPLES] += samples
    counts[_SAMPLES_TRANSFORMED] += new
    counts[_SAMPLES_DUPLICATE] += samples - new
    counts[_SAMPLES_LATE] += late
    counts[_GAPS] += missing
    counts[_GAPS_FILLED] += filled
    return rows + new


@compiled
def _move_line(
    tables: Any,
    rules: Any,
    index: int,
    row: int,
    how: int,
    base: int,
    timestamp_us: int,
    samples: int,
) -> None:
    """Move a boot's line and its largest timestamp on to a frame's end."""
    if how == ON_OLD_LINE:
        return
    boot = tables.boots[row]
    last_us = sample_time_us(timestamp_us, max(samples - 1, 0), rules)
    boot.latest_us = max(boot.latest_us, last_us)
    if base >= boot.anchor_sample:
        boot.anchor_sample = base
        boot.anchor_us = timestamp_us
        if boot.number == tables.sensors[index].boot:
            tables.sensors[index].latest_us = last_us


@compiled
def _close_passed(
    tables: Any, rules: Any, index: int, record: int, through: int, closed_out: Any, closed: int
) -> int:
    """At a record's end, close the windows that the sensor's watermarks have passed."""
    number = tables.sensors[index].boot
    if number == NONE:
        return closed
    row = 2 * index + number % 2
    before = 2 * index + (number + 1) % 2
    boot = tables.boots[row]
    if tables.boots[before].number != NONE:
        if boot.latest_us - boot.first_us >= rules.lateness_us:
            closed = close_boot(tables, rules, before, record, through, closed_out, closed)
        else:
            closed = move_watermark(tables, rules, before, record, through, closed_out, closed)
    return move_watermark(tables, rules, row, record, through, closed_out, closed)


@compiled
def _tick(tables: Any, rules: Any, offset: int, record: int, closed_out: Any, closed: int) -> int:
    """Count a second: smooth the rates, close the windows of silent sensors, forget old ones."""
    counts = tables.counts
    counts[_TICKS] += 1
    now = counts[_TICKS]
    for index in range(len(tables.sensors)):
        sensor = tables.sensors[index]
        if sensor.boot == NONE and sensor.last_tick == NONE:
            continue
        quiet = now - sensor.last_tick
        if quiet >= rules.forget_ticks:
            _forget(tables, index)
            counts[_FORGOTTEN] += 1
        elif quiet >= rules.silence_ticks:
            if not sensor.silent:
                sensor.silent = 1
                sensor.changed = 1
                sensor.rate_hz = 0.0
                sensor.tick_samples = 0
                for row in range(2 * index, 2 * index + 2):
                    closed = _silence(tables, rules, row, record, offset + 1, closed_out, closed)
        else:
            sensor.changed = 1
            if sensor.rate_hz == 0.0:
                sensor.rate_hz = sensor.tick_samples
            else:
                sensor.rate_hz += RATE_SMOOTHING * (sensor.tick_samples - sensor.rate_hz)
            sensor.tick_samples = 0
    return closed


@compiled
def _silence(
    tables: Any, rules: Any, row: int, record: int, through: int, closed_out: Any, closed: int
) -> int:
    boot = tables.boots[row]
    if boot.window == NONE:
        return closed
    until_us = end_of_open_windows(tables, rules, row)
    boot.closed_until_us = until_us
    return close_windows(
        tables, rules, row, until_us, BY_SILENCE, record, through, closed_out, closed
    )


@compiled
def _forget(tables: Any, index: int) -> None:
    """Drop a sensor's state; its windows closed long ago, for silence."""
    sensor = tables.sensors[index]
    sensor.forgotten = 1
    sensor.changed = 1
    reset_sensor(tables, index)


@compiled
def reset_sensor(tables: Any, index: int) -> None:
    """Put a sensor's rows into the state before its first frame."""
    sensor = tables.sensors[index]
    sensor.boot = NONE
    sensor.last_tick = NONE
    sensor.silent = 0
    sensor.samples = sensor.duplicates = sensor.dead_letters = sensor.late = 0
    sensor.gaps = sensor.gaps_filled = sensor.clock_steps = sensor.tick_samples = 0
    sensor.rate_hz = 0.0
    sensor.good_frames = sensor.bad_frames = 0
    sensor.latest_us = sensor.received_us = 0
    for row in range(2 * index, 2 * index + 2):
        tables.boots[row].number = NONE
        tables.boots[row].window = NONE
        tables.boots[row].intervals = 0
        tables.boots[row].regions = 0


@compiled
def _flooded(tables: Any, rules: Any) -> bool:
    """Say whether a share of all sensors has failed since the last look, and look anew."""
    active = 0
    failing = 0
    for index in range(len(tables.sensors)):
        sensor = tables.sensors[index]
        if sensor.good_frames + sensor.bad_frames > 0:
            active += 1
            if sensor.bad_frames > sensor.good_frames:
                failing += 1
            sensor.good_frames = 0
            sensor.bad_frames = 0
            sensor.changed = 1
    return failing >= rules.stop_min_sensors and failing >= rules.stop_share * active
