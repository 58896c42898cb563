"""A recording brought onto the sample grid of a simulated device.

The rule: sample k is taken k / rate seconds after the recording's first reading. Between two
readings it is their linear interpolation; where they lie further apart than a bound, the samples
between them are missing, so that a gap in the recording is a gap in the stream.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simulator.periodic import Floats
from simulator.recording import Recording


class Resampled(NamedTuple):
    """The ``m`` samples of the grid that there are, in order.

    number:      ``(m,) int64`` place on the grid, from 0; a step above 1 is a gap
    readings:    ``(m, 9)``
    temperature: ``(m,)``
    """

    number: npt.NDArray[np.int64]
    readings: Floats
    temperature: Floats


def resampled(recording: Recording, rate_hz: float, max_gap_s: float) -> Resampled:
    """Return a recording at ``rate_hz``; no sample lies beyond its last reading."""
    time_s = recording.time_s - recording.time_s[0]
    # A grid point that rounding puts a hair past the last reading still belongs to it.
    count = int(np.floor(time_s[-1] * rate_hz + 1e-6)) + 1
    at_s = np.minimum(np.arange(count) / rate_hz, time_s[-1])
    after = np.clip(np.searchsorted(time_s, at_s, side="left"), 1, len(time_s) - 1)
    gap_s = time_s[after] - time_s[after - 1]
    share = (at_s - time_s[after - 1]) / gap_s
    # The readings at both ends of a gap are there themselves.
    there = (gap_s <= max_gap_s) | (share <= 0) | (share >= 1)
    number, after, share = np.flatnonzero(there), after[there], share[there]
    columns = np.column_stack([recording.readings, recording.temperature])
    mixed = columns[after - 1] * (1 - share)[:, None] + columns[after] * share[:, None]
    return Resampled(number, mixed[:, :9], mixed[:, 9])


def spans(number: npt.NDArray[np.int64], longest: int) -> npt.NDArray[np.int64]:
    """Return ``(f, 2)``: first row and row count of each frame of at most ``longest`` samples.

    A frame holds consecutive numbers only, so one ends where a gap begins.
    """
    begins = np.flatnonzero(np.diff(number, prepend=number[0] - 2) != 1)
    ends = np.append(begins[1:], len(number))
    rows = [
        (first, min(longest, int(end) - first))
        for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)
        for first in range(begin, int(end), longest)
    ]
    return np.array(rows, dtype=np.int64)
