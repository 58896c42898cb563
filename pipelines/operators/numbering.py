"""Sample numbers: which boot a frame belongs to, which of its samples are new, what is missing."""

from typing import Any, Final

import numpy as np

from pipelines.compiled import compiled
from pipelines.operators.layout import FAR_PAST_US, INTERVALS_PER_BOOT, NONE

ON_LINE: Final = 0
ON_OLD_LINE: Final = 1
CLOCK_STEP: Final = 2
NEW_BOOT: Final = 3


@compiled
def _fits(anchor_sample: int, anchor_us: int, base: int, timestamp_us: int, rules: Any) -> bool:
    expected_us = anchor_us + np.int64(np.rint((base - anchor_sample) * rules.period_us))
    return abs(timestamp_us - expected_us) <= rules.lateness_us


@compiled
def place(tables: Any, rules: Any, sensor: int, base: int, timestamp_us: int) -> tuple[int, int]:
    """Return the row of the boot that a frame belongs to, and how: ON_LINE, … or NEW_BOOT.

    A frame belongs to the boot whose line of sample number against time it fits within the
    lateness, the current one or the one before. Else the clock was set if the numbering goes on,
    and the device restarted if not.
    """
    boots = tables.boots
    number = tables.sensors[sensor].boot
    if number == NONE:
        return 2 * sensor, NEW_BOOT
    row = 2 * sensor + number % 2
    boot = boots[row]
    if _fits(boot.anchor_sample, boot.anchor_us, base, timestamp_us, rules):
        return row, ON_LINE
    # What was sent before the clock step may come after it, but not much: a device that starts
    # at the same moment of 1970 each time is no late frame of an hour ago.
    old = boot.old_anchor_sample != NONE and (
        boot.old_anchor_sample - rules.step_samples <= base < boot.anchor_sample
    )
    if old and _fits(boot.old_anchor_sample, boot.old_anchor_us, base, timestamp_us, rules):
        return row, ON_OLD_LINE
    before_row = 2 * sensor + (number + 1) % 2
    before = boots[before_row]
    known = before.number != NONE and before.number == number - 1
    if known and _fits(before.anchor_sample, before.anchor_us, base, timestamp_us, rules):
        return before_row, ON_LINE
    next_number = boot.anchor_sample
    if boot.intervals > 0:
        next_number = max(next_number, tables.intervals[row, boot.intervals - 1, 1])
    if 0 <= base - next_number <= rules.step_samples:
        return row, CLOCK_STEP
    return 2 * sensor + (number + 1) % 2, NEW_BOOT


@compiled
def start_boot(tables: Any, rules: Any, row: int, number: int, base: int, first_us: int) -> None:
    """Begin a boot in ``row``, whose windows must be closed; its watermark starts anew."""
    boot = tables.boots[row]
    boot.number = number
    boot.anchor_sample = base
    boot.anchor_us = first_us
    boot.old_anchor_sample = NONE
    boot.old_anchor_us = 0
    boot.first_us = first_us
    boot.latest_us = first_us
    boot.line_start_us = FAR_PAST_US
    boot.closed_until_us = (first_us - rules.lateness_us) // rules.window_us * rules.window_us
    boot.floor = 0
    boot.intervals = 0
    boot.regions = 0
    boot.last_closed_sample = NONE
    boot.late = 0
    boot.window = NONE


@compiled
def mark_seen(tables: Any, row: int, start: int, end: int, fresh: Any) -> tuple[int, int, int]:
    """Add sample numbers [start, end) to those seen by a boot.

    ``fresh`` receives the parts not seen before as [start, end) rows. Returns how many parts
    there are, the sample numbers newly found missing, and the missing ones that were filled.
    """
    boot = tables.boots[row]
    seen = tables.intervals[row]
    count = boot.intervals
    if count == 0 or start >= seen[count - 1, 1]:
        fresh[0, 0], fresh[0, 1] = start, end
        missing = 0
        if count > 0 and start == seen[count - 1, 1]:
            seen[count - 1, 1] = end
            return 1, 0, 0
        if count > 0:
            missing = start - seen[count - 1, 1]
        _insert(boot, seen, count, start, end)
        return 1, missing, 0
    return _fill(boot, seen, start, end, fresh)


@compiled
def _insert(boot: Any, seen: Any, at: int, start: int, end: int) -> None:
    """Put an interval before index ``at``; when all are in use, the lowest is given up."""
    count = boot.intervals
    if count == INTERVALS_PER_BOOT:
        if at == 0:  # below all that is kept: what is given up is the new one itself
            boot.floor = seen[0, 0]
            return
        for i in range(count - 1):
            seen[i, 0], seen[i, 1] = seen[i + 1, 0], seen[i + 1, 1]
        count -= 1
        at -= 1
        boot.floor = start if at == 0 else seen[0, 0]
    for i in range(count, at, -1):
        seen[i, 0], seen[i, 1] = seen[i - 1, 0], seen[i - 1, 1]
    seen[at, 0], seen[at, 1] = start, end
    boot.intervals = count + 1


@compiled
def _fill(boot: Any, seen: Any, start: int, end: int, fresh: Any) -> tuple[int, int, int]:
    """Add numbers that lie, at least in part, below the highest seen."""
    count = boot.intervals
    highest = seen[count - 1, 1]
    lowest = seen[0, 0]
    first = 0  # the first interval that touches or lies beyond [start, end)
    while first < count and seen[first, 1] < start:
        first += 1
    beyond = first  # the first that neither overlaps nor touches it
    parts = 0
    filled = 0
    at = start
    while beyond < count and seen[beyond, 0] <= end:
        if at < seen[beyond, 0]:
            fresh[parts, 0], fresh[parts, 1] = at, seen[beyond, 0]
            parts += 1
        at = max(at, seen[beyond, 1])
        beyond += 1
    if at < end:
        fresh[parts, 0], fresh[parts, 1] = at, end
        parts += 1
    for i in range(parts):  # only holes between the lowest and the highest were counted missing
        filled += max(0, min(fresh[i, 1], highest) - max(fresh[i, 0], lowest))
    if first == beyond:
        missing = seen[0, 0] - end if first == 0 else 0
        _insert(boot, seen, first, start, end)
        return parts, missing, filled
    seen[first, 0] = min(start, seen[first, 0])
    seen[first, 1] = max(end, seen[beyond - 1, 1])
    joined = beyond - first - 1
    if joined:
        for i in range(first + 1, count - joined):
            seen[i, 0], seen[i, 1] = seen[i + joined, 0], seen[i + joined, 1]
        boot.intervals = count - joined
    return parts, 0, filled
