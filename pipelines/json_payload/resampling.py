"""Readings at a device's own times to samples at ours: the rule, which ``docs/phones.md`` states.

A payload is resampled by itself, without any state: grid point k lies at k / rate since the epoch,
and k is its sample number. Consecutive payloads therefore number the same moments alike, and where
they overlap the later one's samples are duplicates like any other. Pure.
"""

from fractions import Fraction
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from pipelines.frame_format import SAMPLE_BYTES
from pipelines.json_payload.readings import Channel, Readings, Series

_SAMPLE = np.dtype([("acc", ">i2", 3), ("gyro", ">i2", 3), ("mag", "<i2", 3), ("temp", ">i2")])
_LOWEST: Final = -32_768
_HIGHEST: Final = 32_767


class Resampled(NamedTuple):
    """A payload as one frame would hold it.

    base_sample_number: k of the first sample, not cut to 32 bits
    timestamp_us:       its time
    num_samples:        0 for a payload without motion, which is a heartbeat
    data:               the samples as in a frame, 20 bytes each; the temperature is 0
    clipped:            how many of them hold a value beyond a frame's range, put at its end
    """

    base_sample_number: int
    timestamp_us: int
    num_samples: int
    data: bytes
    clipped: int


def resample(readings: Readings, sample_rate_hz: float) -> Resampled:
    """Return the samples of a payload.

    It covers [its first reading, its last + 1.5 x the median interval between them), at least one
    sample; in between values are interpolated linearly, before and after they are held.
    """
    lead = readings.lead
    begin_ns = readings.begin_ns
    base = _first_at(begin_ns, sample_rate_hz)
    first_ns = base * 1_000_000_000 // Fraction(sample_rate_hz)
    if lead is None:
        return Resampled(base, first_ns // 1000, 0, b"", 0)
    count = max(1, _first_at(_end_ns(lead), sample_rate_hz) - base)
    times_ns = first_ns + np.rint(np.arange(count) * (1e9 / sample_rate_hz)).astype(np.int64)
    samples = np.zeros(count, _SAMPLE)
    clipped = np.zeros(count, np.bool_)
    for name in ("acc", "gyro", "mag"):
        counts = _counts(getattr(readings, name), times_ns)
        clipped |= ((counts < _LOWEST) | (counts > _HIGHEST)).any(axis=1)
        samples[name] = np.clip(counts, _LOWEST, _HIGHEST)
    data = samples.tobytes()
    assert len(data) == count * SAMPLE_BYTES
    return Resampled(base, first_ns // 1000, count, data, int(clipped.sum()))


def _first_at(time_ns: int, sample_rate_hz: float) -> int:
    """Return the first grid point that is not before a time, exactly."""
    return -(-time_ns * Fraction(sample_rate_hz) // 1_000_000_000)


def _end_ns(lead: Series) -> int:
    """Return until when a payload's last readings are held."""
    last_ns = int(lead.time_ns[-1])
    if len(lead.time_ns) == 1:
        return last_ns
    intervals = np.sort(np.diff(lead.time_ns))
    median_ns = int(intervals[len(intervals) // 2])
    return last_ns + median_ns + median_ns // 2


def _counts(channel: Channel, times_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    total = np.zeros((len(times_ns), 3))
    for series in channel.series:
        total += _interpolated(series, times_ns)
    return np.rint(total / channel.unit)


def _interpolated(series: Series, times_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return ``(n, 3)``: a + (b - a) ((t - t_a) / (t_b - t_a)), in this order of operations."""
    known_ns, values = series
    if len(known_ns) == 1:
        return np.repeat(values, len(times_ns), axis=0)
    held_ns = np.clip(times_ns, known_ns[0], known_ns[-1])
    left = np.clip(np.searchsorted(known_ns, held_ns, side="right") - 1, 0, len(known_ns) - 2)
    share = (held_ns - known_ns[left]) / (known_ns[left + 1] - known_ns[left])
    found = values[left] + (values[left + 1] - values[left]) * share[:, np.newaxis]
    found[times_ns >= known_ns[-1]] = values[-1]  # a + (b - a) need not be b
    return np.asarray(found)
