"""What a JSON payload says, whatever its form: readings of each channel with their times. Pure."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Series(NamedTuple):
    """Readings of one sensor in ascending time, each time once.

    time_ns: ``(n,) int64`` nanoseconds since the epoch
    values:  ``(n, 3) float64`` x, y, z in the form's unit
    """

    time_ns: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]


class Channel(NamedTuple):
    """One of the three vectors of a sample: the sum of its series.

    ``unit`` is one count of a frame in the unit of the readings. Two series are acceleration and
    gravity told apart; none is a vector that is not measured.
    """

    series: tuple[Series, ...]
    unit: float


class Readings(NamedTuple):
    """A payload's readings; ``first_ns`` is the time of the earliest of all, motion or not."""

    acc: Channel
    gyro: Channel
    mag: Channel
    first_ns: int
    form: str

    @property
    def lead(self) -> Series | None:
        """The series that says which time the payload covers; None if it holds no motion."""
        for channel in (self.acc, self.gyro, self.mag):
            if channel.series:
                return channel.series[0]
        return None

    @property
    def begin_ns(self) -> int:
        """The time of the payload's first reading that counts."""
        lead = self.lead
        return self.first_ns if lead is None else int(lead.time_ns[0])


def series_of(rows: list[tuple[int, tuple[float, float, float]]]) -> Series:
    """Put readings into ascending time; of several with the same time the first counts."""
    times = np.array([time_ns for time_ns, _ in rows], np.int64)
    values = np.array([vector for _, vector in rows], np.float64)
    unique, first = np.unique(times, return_index=True)
    return Series(unique, values[first])
