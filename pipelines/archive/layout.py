"""Where the rows of a range lie, below the archive's root.

``{topic}/dt=YYYY-MM-DD/hour=HH/{topic}+{partition}+{start}-{end}.parquet``

The hour is that of the rows' event time in UTC. ``start`` is the first offset of the range and
``end`` the one after its last, so that the end of one range is the start of the next.
"""

import re
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

HOUR_US = 3_600_000_000

_PATH = re.compile(
    r"(?P<topic>[^/+]+)/dt=(?P<day>(?:\d{4,}|-\d{3,})-\d\d-\d\d)/hour=(?P<hour>\d\d)/"
    r"(?P=topic)\+(?P<partition>\d+)\+(?P<start>\d+)-(?P<end>\d+)\.parquet"
)


class OffsetRange(NamedTuple):
    """The records of one partition of a topic from offset ``start`` up to, not with, ``end``."""

    topic: str
    partition: int
    start: int
    end: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition} offsets {self.start} to {self.end}"


class ArchivedHour(NamedTuple):
    """One file: those rows of a range whose time lies in ``hour``, counted since the epoch."""

    range: OffsetRange
    hour: int


def hours_of(times_us: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the hour since the epoch of each time; hours before 1970 are negative."""
    hours: npt.NDArray[np.int64] = np.floor_divide(times_us, HOUR_US)
    return hours


def topic_prefix(topic: str) -> str:
    """Return what the paths of all files of a topic begin with."""
    return f"{topic}/"


def hour_prefix(topic: str, hour: int) -> str:
    """Return what the paths of a topic's files of one hour since the epoch begin with."""
    day, hour_of_day = str(np.datetime64(hour, "h")).split("T")
    return f"{topic}/dt={day}/hour={hour_of_day}/"


def path_of(file: ArchivedHour) -> str:
    """Return the path of a file below the archive's root."""
    topic, partition, start, end = file.range
    return f"{hour_prefix(topic, file.hour)}{topic}+{partition}+{start}-{end}.parquet"


def parse_path(path: str) -> ArchivedHour | None:
    """Read a path below the archive's root; None where it is not one of ours."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    part: dict[str, Any] = match.groupdict()
    try:
        hour = np.datetime64(f"{part['day']}T{part['hour']}", "h").astype(np.int64)
    except ValueError:
        return None
    offsets = OffsetRange(
        part["topic"], int(part["partition"]), int(part["start"]), int(part["end"])
    )
    return ArchivedHour(offsets, int(hour))
