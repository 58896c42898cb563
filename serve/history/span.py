"""What is to be read of a sensor's records, and how much reading may cost. Pure."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pipelines.archive.layout import HOUR_US
from pipelines.errors import DataError, UnavailableError
from pipelines.partitioner import partition_of
from pipelines.sinks.sink_offsets import Place

MOST_HOURS = 24 * 62
"""Hours of a span, each of which is a folder of the archive to be looked into."""


class Span(NamedTuple):
    """Rows of a topic of one sensor whose time is in [from_us, to_us), by the sensor's clock."""

    topic: str
    sensor_id: str
    from_us: int
    to_us: int
    columns: Sequence[str]

    @property
    def place(self) -> Place:
        """The partition that holds all of them."""
        return Place(self.topic, partition_of(self.sensor_id))


def hours_of_span(from_us: int, to_us: int) -> range:
    """Return the hours since the epoch that a span touches.

    Raises:
        DataError: it is longer than two months.
    """
    hours = range(from_us // HOUR_US, max(-(-to_us // HOUR_US), from_us // HOUR_US))
    if len(hours) > MOST_HOURS:
        raise DataError(
            f"the span is {len(hours)} hours long, and at most {MOST_HOURS} are read at once: "
            "narrow it by from_us and to_us"
        )
    return hours


class Budget:
    """How many rows, and how long, one answer may cost; it is counted down as rows are read."""

    def __init__(
        self, rows: int, seconds: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._rows = rows
        self._left = rows
        self._seconds = seconds
        self._monotonic = monotonic
        self._end_s = monotonic() + seconds

    @property
    def left_s(self) -> float:
        """Seconds that are left, none below 0."""
        return max(0.0, self._end_s - self._monotonic())

    def spend(self, rows: int) -> None:
        """Take rows into account that are read next.

        Raises:
            DataError: they are more than one answer may look at.
            UnavailableError: the time is up.
        """
        self._left -= rows
        if self._left < 0:
            raise DataError(
                f"the answer needs more than {self._rows:,} rows to be looked at "
                "(setting history.max_rows): narrow it by from_us and to_us"
            )
        if self.left_s <= 0:
            raise UnavailableError(
                f"the answer was not found in {self._seconds:g} s (setting history.timeout_s): "
                "narrow it by from_us and to_us, or try again when less is asked"
            )
