"""Thinning: no more than a screen shows, real samples only, and no peak lost."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.thinning import Thinner

PERIOD_US = 5_000
PEAKS = ("accl_mag", "gyro_mag")


def _times(first: int, count: int) -> np.ndarray:
    return (first + np.arange(count)) * PERIOD_US


def _flat(count: int) -> np.ndarray:
    return np.ones(count, np.float32)


def test_a_peak_of_one_sample_is_kept() -> None:
    thinner = Thinner(30, PEAKS)
    for message in range(10):
        accl, gyro = _flat(64), _flat(64)
        accl[17], gyro[51] = 9.0, 8.0
        kept = thinner.keep(_times(64 * message, 64), accl, gyro)
        assert {17, 51} <= set(kept.tolist())


def test_a_stream_slower_than_max_hz_is_left_whole() -> None:
    thinner = Thinner(1_000, PEAKS)
    for message in range(5):
        kept = thinner.keep(_times(64 * message, 64), _flat(64), _flat(64))
        assert kept.tolist() == list(range(64))


@given(
    st.lists(st.integers(1, 200), min_size=5, max_size=40),
    st.floats(1, 300),
    st.integers(0, 2**32 - 1),
)
def test_no_more_rows_are_kept_than_max_hz_allows(
    sizes: list[int], max_hz: float, seed: int
) -> None:
    noise = np.random.default_rng(seed)
    thinner = Thinner(max_hz, PEAKS)
    kept = first = 0
    for size in sizes:
        accl, gyro = noise.random((2, size), np.float32)
        rows = thinner.keep(_times(first, size), accl, gyro)
        assert np.all(np.diff(rows) > 0)
        assert len(rows) == 0 or 0 <= rows[0] <= rows[-1] < size
        kept += len(rows)
        first += size
    assert kept <= max_hz * first * PERIOD_US / 1e6 + 2


def test_small_messages_share_what_may_be_shown() -> None:
    thinner = Thinner(30, PEAKS)
    kept = [len(thinner.keep(_times(k, 1), _flat(1), _flat(1))) for k in range(400)]
    assert 55 <= sum(kept) <= 62  # two seconds of the device's clock


@pytest.mark.parametrize("jump_us", [3_600_000_000, -3_600_000_000])
def test_a_clock_step_neither_floods_nor_stops_the_stream(jump_us: int) -> None:
    thinner = Thinner(30, PEAKS)
    noise = np.random.default_rng(1)
    counts = []
    for message in range(20):
        accl, gyro = noise.random((2, 64), np.float32)
        times = _times(64 * message, 64) + (jump_us if message >= 10 else 0)
        counts.append(len(thinner.keep(times, accl, gyro)))
    assert counts[10] <= 32
    assert all(count > 0 for count in counts[11:])
