"""Thin a sensor's samples to what a screen can show, without losing its peaks.

Kept are real samples, never averages. Each message is cut into buckets of equal size, and of each
bucket the samples stay in which the magnitudes of acceleration and of rotation are largest and
smallest. A frame of 64 samples at 200 Hz thinned to 30 Hz keeps 9. Where a message is shorter than
1 / max_hz some messages keep nothing, and a peak in one of them is not seen.
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

    def __init__(self, max_hz: float) -> None:
        self._max_hz = max_hz
        self._last_us: int | None = None
        self._credit = 1.0

    def thin(self, columns: Mapping[str, Column]) -> dict[str, Column]:
        """Return the columns of one message with only the rows that stay, maybe none."""
        rows = self.keep(columns["timestamp_us"], columns["accl_mag"], columns["gyro_mag"])
        return {name: column[rows] for name, column in columns.items()}

    def keep(self, timestamp_us: Int64s, accl_mag: Float32s, gyro_mag: Float32s) -> Int64s:
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
        return _extremes(accl_mag, gyro_mag, budget)


def _extremes(accl_mag: Float32s, gyro_mag: Float32s, budget: int) -> Int64s:
    """Return at most ``budget`` rows: the extremes of as many buckets as it allows."""
    if budget < _EXTREMES:
        order = (accl_mag.argmax(), gyro_mag.argmax(), accl_mag.argmin())
        return np.unique(np.array(order[:budget], np.int64))
    buckets = budget // _EXTREMES
    size = -(-len(accl_mag) // buckets)
    padding = buckets * size - len(accl_mag)
    first = np.arange(buckets) * size
    # The last bucket is filled up with its own last sample, which changes no extreme.
    columns = [
        np.pad(c, (0, padding), mode="edge").reshape(buckets, size) for c in (accl_mag, gyro_mag)
    ]
    rows = [first + column.argmax(1) for column in columns]
    rows += [first + column.argmin(1) for column in columns]
    return np.unique(np.minimum(np.concatenate(rows), len(accl_mag) - 1))
