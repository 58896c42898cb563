"""What a backfill reads: which offsets of each partition of imu-data-all. Pure.

A record belongs to the span asked for if its event time lies in it (the payload's first good
frame; frames behind it in the payload follow within ``reach_us``), or its reception, by which
dead letters count. What is replayed is the whole run of offsets from the first such record to the
last, the warm-up before it, and what follows until the span's windows have closed.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

from pipelines import topics
from pipelines.archive.layout import ArchivedHour
from pipelines.backfill.time_span import TimeSpan
from pipelines.errors import DataError


class RawRange(NamedTuple):
    """A range of offsets as the archive wrote it, in one file for each hour of event time."""

    start: int
    end: int
    files: tuple[ArchivedHour, ...]


class FileTimes(NamedTuple):
    """What a file's statistics say of its rows, in microseconds since the epoch, both inclusive."""

    first_timestamp_us: int
    last_timestamp_us: int
    first_received_us: int
    last_received_us: int


class PartitionPlan(msgspec.Struct, frozen=True):
    """What is replayed of one partition.

    first:      where the archive of the partition begins
    start:      the first offset replayed: the warm-up's
    emit_start: the first that may make rows of the span
    emit_end:   one past the last that may
    end:        the archive's end when the plan was made; the replay ends here at the latest
    """

    partition: int
    first: int
    start: int
    emit_start: int
    emit_end: int
    end: int

    @property
    def whole(self) -> bool:
        """Whether the replay begins where the topic does, so that nothing is relative."""
        return self.start == 0


Times = Callable[[ArchivedHour], FileTimes]
"""Looks up a file's statistics."""


def ranges_by_partition(files: Iterable[ArchivedHour]) -> dict[int, list[RawRange]]:
    """Return the ranges of each partition in order.

    Raises:
        DataError: two ranges of a partition overlap or do not abut.
    """
    found: dict[int, dict[tuple[int, int], list[ArchivedHour]]] = {}
    for file in files:
        of_partition = found.setdefault(file.range.partition, {})
        of_partition.setdefault((file.range.start, file.range.end), []).append(file)
    return {
        partition: _in_order(partition, of_partition)
        for partition, of_partition in sorted(found.items())
    }


def _in_order(partition: int, found: dict[tuple[int, int], list[ArchivedHour]]) -> list[RawRange]:
    ranges = [
        RawRange(start, end, tuple(sorted(files, key=lambda file: file.hour)))
        for (start, end), files in sorted(found.items())
    ]
    for i in range(1, len(ranges)):
        before, after = ranges[i - 1], ranges[i]
        if before.end != after.start:
            what = "lacks" if before.end < after.start else "has twice"
            low, high = sorted((before.end, after.start))
            raise DataError(
                f"the archive {what} offsets {low} to {high - 1} of {topics.RAW}/{partition}; "
                f"see `imustream archive verify`, mend it, then run the backfill again"
            )
    return ranges


def plan_partition(
    partition: int,
    ranges: Sequence[RawRange],
    span: TimeSpan,
    times: Times,
    *,
    reach_us: int,
    warm_up_us: int,
) -> PartitionPlan | None:
    """Return what to replay of a partition; None where it holds nothing of the span."""
    widened = TimeSpan(None if span.from_us is None else span.from_us - reach_us, span.to_us)
    chosen = [
        i
        for i, one in enumerate(ranges)
        if any(_of_span(file, span, widened, times) for file in one.files)
    ]
    if not chosen:
        return None
    emit = chosen[0]
    start = emit
    if emit > 0:
        warm_us = _first_received(ranges[emit], times) - warm_up_us
        while start > 0 and _last_received(ranges[start - 1], times) >= warm_us:
            start -= 1
    return PartitionPlan(
        partition=partition,
        first=ranges[0].start,
        start=ranges[start].start,
        emit_start=ranges[emit].start,
        emit_end=ranges[chosen[-1]].end,
        end=ranges[-1].end,
    )


def _of_span(file: ArchivedHour, span: TimeSpan, widened: TimeSpan, times: Times) -> bool:
    if span == TimeSpan():
        return True
    found = times(file)
    return widened.overlaps(found.first_timestamp_us, found.last_timestamp_us) or span.overlaps(
        found.first_received_us, found.last_received_us
    )


def _first_received(one: RawRange, times: Times) -> int:
    return min(times(file).first_received_us for file in one.files)


def _last_received(one: RawRange, times: Times) -> int:
    return max(times(file).last_received_us for file in one.files)
