"""Tumbling motion windows on the device's own clock: open, fill, close.

A window [start, start + length) of a boot is closed once the boot's watermark, the largest
timestamp seen less the lateness, has passed its end; or by silence; or by a reboot. A sample whose
window is closed is late. The watermark moves at the end of a record, never inside it, so a closed
window holds exactly the samples of its span that were not late with an offset below
``through_offset``.
"""

from typing import Any

from pipelines.compiled import compiled
from pipelines.operators.layout import (
    BY_REBOOT,
    BY_WATERMARK,
    FAR_FUTURE_US,
    FAR_PAST_US,
    NONE,
    REGIONS_PER_BOOT,
)


@compiled
def is_closed(tables: Any, rules: Any, row: int, start_us: int) -> bool:
    """Say whether the window that starts at ``start_us`` is closed for the boot in ``row``."""
    boot = tables.boots[row]
    end_us = start_us + rules.window_us
    if end_us <= boot.closed_until_us and start_us >= boot.line_start_us:
        return True
    for i in range(boot.regions):
        if start_us >= tables.regions[row, i, 0] and end_us <= tables.regions[row, i, 1]:
            return True
    return False


@compiled
def open_window(tables: Any, row: int, start_us: int, sample: int) -> int:
    """Return the open window of a boot that starts at ``start_us``, opening it if need be."""
    boots, windows = tables.boots, tables.windows
    before = NONE
    at = boots[row].window
    while at != NONE and windows[at].start_us < start_us:
        before = at
        at = windows[at].next
    if at != NONE and windows[at].start_us == start_us:
        return at
    new = tables.unused[0]
    tables.unused[0] = windows[new].next
    tables.unused[1] -= 1
    window = windows[new]
    window.next = at
    window.start_us = start_us
    window.samples = 0
    window.first_sample = sample
    window.last_sample = sample
    window.acc_first = window.gyro_first = 0.0
    window.acc_min = window.gyro_min = 1e300
    window.acc_max = window.gyro_max = -1.0
    window.acc_sum = window.acc_squares = window.gyro_sum = window.gyro_squares = 0.0
    if before == NONE:
        boots[row].window = new
    else:
        windows[before].next = new
    return new


@compiled
def close_windows(
    tables: Any,
    rules: Any,
    row: int,
    until_us: int,
    closed_by: int,
    record: int,
    through_offset: int,
    closed: Any,
    closed_count: int,
) -> int:
    """Close the windows of a boot that end at or before ``until_us``; return the new count."""
    boot = tables.boots[row]
    windows = tables.windows
    at = boot.window
    while at != NONE and windows[at].start_us + rules.window_us <= until_us:
        window = windows[at]
        out = closed[closed_count]
        closed_count += 1
        out.record = record
        out.sensor = row // 2
        out.boot = boot.number
        out.closed_by = closed_by
        out.through_offset = through_offset
        known = boot.last_closed_sample
        if known == NONE or known >= window.first_sample:
            known = window.first_sample - 1
        out.gaps = window.last_sample - known - window.samples
        out.late = boot.late
        boot.late = 0
        boot.last_closed_sample = max(boot.last_closed_sample, window.last_sample)
        _copy(window, out)
        boot.window = window.next
        window.next = tables.unused[0]
        tables.unused[0] = at
        tables.unused[1] += 1
        at = boot.window
    return closed_count


@compiled
def _copy(window: Any, out: Any) -> None:
    out.start_us = window.start_us
    out.samples = window.samples
    out.first_sample = window.first_sample
    out.last_sample = window.last_sample
    out.acc_first = window.acc_first
    out.acc_min = window.acc_min
    out.acc_max = window.acc_max
    out.acc_sum = window.acc_sum
    out.acc_squares = window.acc_squares
    out.gyro_first = window.gyro_first
    out.gyro_min = window.gyro_min
    out.gyro_max = window.gyro_max
    out.gyro_sum = window.gyro_sum
    out.gyro_squares = window.gyro_squares


@compiled
def end_of_open_windows(tables: Any, rules: Any, row: int) -> int:
    """Return when the boot's last open window ends, or where it is closed until without one."""
    end_us = tables.boots[row].closed_until_us
    at = tables.boots[row].window
    while at != NONE:
        end_us = max(end_us, tables.windows[at].start_us + rules.window_us)
        at = tables.windows[at].next
    return end_us


@compiled
def move_watermark(
    tables: Any, rules: Any, row: int, record: int, through: int, closed: Any, count: int
) -> int:
    """Close what the boot's watermark has passed; return the new count of closed windows."""
    boot = tables.boots[row]
    watermark_us = boot.latest_us - rules.lateness_us
    until_us = watermark_us // rules.window_us * rules.window_us
    if until_us > boot.closed_until_us:
        boot.closed_until_us = until_us
        count = close_windows(
            tables, rules, row, until_us, BY_WATERMARK, record, through, closed, count
        )
    return count


@compiled
def close_boot(
    tables: Any, rules: Any, row: int, record: int, through: int, closed: Any, count: int
) -> int:
    """Close all windows of a boot for good, because the device has restarted since."""
    boot = tables.boots[row]
    count = close_windows(
        tables, rules, row, FAR_FUTURE_US, BY_REBOOT, record, through, closed, count
    )
    boot.closed_until_us = FAR_FUTURE_US
    return count


@compiled
def step_clock(
    tables: Any,
    rules: Any,
    row: int,
    base: int,
    timestamp_us: int,
    record: int,
    through: int,
    closed: Any,
    count: int,
) -> int:
    """Begin a new line for a boot whose clock was set while its numbering went on.

    A clock set forward just moves the watermark. One set back closes what is open and starts a
    new watermark; the spans closed before stay closed.
    """
    boot = tables.boots[row]
    boot.old_anchor_sample, boot.old_anchor_us = boot.anchor_sample, boot.anchor_us
    boot.anchor_sample, boot.anchor_us = base, timestamp_us
    if timestamp_us >= boot.latest_us:
        return count
    end_us = end_of_open_windows(tables, rules, row)
    count = close_windows(
        tables, rules, row, FAR_FUTURE_US, BY_WATERMARK, record, through, closed, count
    )
    # No window opened before the boot's first frame less the lateness.
    opened_us = (boot.first_us - rules.lateness_us) // rules.window_us * rules.window_us
    start_us = opened_us if boot.line_start_us == FAR_PAST_US else boot.line_start_us
    _keep_region(tables, row, start_us, end_us)
    start_us = (timestamp_us - rules.lateness_us) // rules.window_us * rules.window_us
    boot.line_start_us = start_us
    boot.closed_until_us = start_us
    boot.latest_us = timestamp_us
    return count


@compiled
def _keep_region(tables: Any, row: int, start_us: int, end_us: int) -> None:
    regions = tables.regions[row]
    count = tables.boots[row].regions
    if count == REGIONS_PER_BOOT:
        regions[0, 0] = min(regions[0, 0], regions[1, 0])
        regions[0, 1] = max(regions[0, 1], regions[1, 1])
        for i in range(1, count - 1):
            regions[i, 0], regions[i, 1] = regions[i + 1, 0], regions[i + 1, 1]
        count -= 1
    regions[count, 0], regions[count, 1] = start_us, end_us
    tables.boots[row].regions = count + 1
