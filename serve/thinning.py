"""Thin a sensor's samples to what a screen can show, without losing its peaks.

Kept are real samples, never averages. Each message is cut into buckets of equal size, and of each
bucket the samples stay in which two columns are largest and smallest: of transformed samples the
magnitudes of acceleration and of rotation. A frame of 64 samples at 200 Hz thinned to 30 Hz keeps
9. Where a message is shorter than 1 / max_hz some messages keep nothing, and a peak in one of them
is not seen.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Float32s = npt.NDArray[np.float32]
Column = npt.NDArray[Any]
Int64s = npt.NDArray[np.int64]

_EXTREMES = 4
_US_PER_S = 1_000_000
_LONGEST_CREDIT_S = 1.0
"""After a gap or a clock step the next message keeps at most what a second may show."""


class Thinner:
    """Chooses the samples of one sensor that stay, ``max_hz`` a second of the device's clock."""

    def __init__(self, max_hz: float, peaks: tuple[str, str]) -> None:
        """``peaks`` name the columns whose extremes stay."""
        self._max_hz = max_hz
        self._peaks = peaks
        self._last_us: int | None = None
        self._credit = 1.0

    def thin(self, columns: Mapping[str, Column]) -> dict[str, Column]:
        """Return the columns of one message with only the rows that stay, maybe none."""
        first, second = self._peaks
        rows = self.keep(columns["timestamp_us"], columns[first], columns[second])
        return {name: column[rows] for name, column in columns.items()}

    def keep(self, timestamp_us: Int64s, first: Float32s, second: Float32s) -> Int64s:
        """Return the rows to keep, rising; the arguments are ``(n,)`` columns of one message."""
        last_us = int(timestamp_us[-1])
        before_us = int(timestamp_us[0]) if self._last_us is None else self._last_us
        self._last_us = last_us
        passed_s = min(max((last_us - before_us) / _US_PER_S, 0.0), _LONGEST_CREDIT_S)
        self._credit += passed_s * self._max_hz
        budget = int(self._credit)
        if budget >= len(timestamp_us):
            self._credit = min(self._credit - len(timestamp_us), 1.0)
            return np.arange(len(timestamp_us))
        self._credit -= budget
        return _extremes(first, second, budget)


def _extremes(one: Float32s, other: Float32s, budget: int) -> Int64s:
    """Return at most ``budget`` rows: the extremes of as many buckets as it allows."""
    if budget < _EXTREMES:
        order = (one.argmax(), other.argmax(), one.argmin())
        return np.unique(np.array(order[:budget], np.int64))
    buckets = budget // _EXTREMES
    size = -(-len(one) // buckets)
    padding = buckets * size - len(one)
    first = np.arange(buckets) * size
    # The last bucket is filled up with its own last sample, which changes no extreme.
    columns = [np.pad(c, (0, padding), mode="edge").reshape(buckets, size) for c in (one, other)]
    rows = [first + column.argmax(1) for column in columns]
    rows += [first + column.argmin(1) for column in columns]
    return np.unique(np.minimum(np.concatenate(rows), len(one) - 1))
