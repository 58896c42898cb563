"""Which sample numbers of a boot have been seen, and at what time each was measured."""

from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

INTERVALS_KEPT = 4_096
"""For each boot. The pipeline refuses as too old what lies below far fewer, so that losing the
lowest cannot hide anything."""


class Interval(NamedTuple):
    """Numbers [start, end); ``start`` was measured at start_us, ``end - 1`` at end_us."""

    start: int
    end: int
    start_us: int
    end_us: int

    def time_us(self, number: int) -> float:
        """Return when a sample of this interval was measured, by interpolation."""
        if self.end - self.start <= 1:
            return self.start_us
        share = (number - self.start) / (self.end - 1 - self.start)
        return self.start_us + share * (self.end_us - self.start_us)


class Coverage:
    """Ascending intervals; neighbours are joined while they lie on one line of time."""

    def __init__(self, period_us: float, tolerance_us: float) -> None:
        self._period_us = period_us
        self._tolerance_us = tolerance_us
        self._intervals: list[Interval] = []

    def add(self, new: Interval) -> int:
        """Add numbers and return how many of them were seen before."""
        intervals = self._intervals
        last = intervals[-1] if intervals else None
        if last is None or new.start >= last.end:
            if last is not None and self._continues(last, new):
                intervals[-1] = Interval(last.start, new.end, last.start_us, new.end_us)
            else:
                intervals.append(new)
                if len(intervals) > INTERVALS_KEPT:
                    del intervals[0]
            return 0
        holes = list(self.holes(new.start, new.end))
        for start, end in holes:
            self._insert(
                Interval(start, end, self._time_in(new, start), self._time_in(new, end - 1))
            )
        return new.end - new.start - sum(end - start for start, end in holes)

    def holes(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Return the parts of [start, end) that were not seen."""
        at = start
        for interval in self._intervals[self._first_beyond(start) :]:
            if interval.start >= end:
                break
            if interval.start > at:
                yield at, interval.start
            at = max(at, interval.end)
        if at < end:
            yield at, end

    def lowest(self) -> int:
        """Return the smallest number seen."""
        return self._intervals[0].start

    def highest(self) -> int:
        """Return one past the largest number seen."""
        return self._intervals[-1].end

    def unlike(self, start: int, end: int, start_us: int) -> Iterator[tuple[int, int]]:
        """Return the parts of [start, end) not seen at the time that ``start_us`` gives them."""
        yield from self.holes(start, end)
        for interval in self._intervals[self._first_beyond(start) :]:
            if interval.start >= end:
                break
            low, high = max(start, interval.start), min(end, interval.end)
            for number in (low, high - 1):
                time_us = start_us + (number - start) * self._period_us
                if abs(interval.time_us(number) - time_us) > self._tolerance_us:
                    yield low, high
                    break

    def _first_beyond(self, number: int) -> int:
        """Return the first interval that ends after ``number``."""
        return bisect_right(self._intervals, number, key=lambda interval: interval.end)

    def _continues(self, last: Interval, new: Interval) -> bool:
        expected_us = last.end_us + self._period_us
        return new.start == last.end and abs(new.start_us - expected_us) <= self._period_us * 64

    def _time_in(self, new: Interval, number: int) -> int:
        return round(new.time_us(number))

    def _insert(self, new: Interval) -> None:
        at = self._first_beyond(new.start)
        self._intervals.insert(at, new)
        for left in (at, at - 1):
            if 0 <= left < len(self._intervals) - 1:
                a, b = self._intervals[left : left + 2]
                if self._continues(a, b):
                    joined = Interval(a.start, b.end, a.start_us, b.end_us)
                    self._intervals[left : left + 2] = [joined]
