"""Recordings on the device's grid: what is interpolated, what is a gap, what a frame holds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.recording import Recording
from simulator.resampling import resampled, spans

RATE_HZ = 200.0


def ramp(time_s: np.ndarray, name: str = "ramp") -> Recording:
    """A recording whose nine readings and temperature grow evenly with time."""
    slopes = np.arange(1, 11)
    values = time_s[:, None] * slopes
    return Recording(name, time_s, values[:, :9], values[:, 9])


def test_a_linear_ramp_is_resampled_exactly() -> None:
    time_s = 1_000.0 + np.arange(101) / 50
    taken = resampled(ramp(time_s), RATE_HZ, 0.25)
    assert taken.number.tolist() == list(range(401))
    expected = (1_000 + taken.number / RATE_HZ)[:, None] * np.arange(1, 10)
    assert np.allclose(taken.readings, expected, rtol=1e-12)
    assert np.allclose(taken.temperature, (1_000 + taken.number / RATE_HZ) * 10, rtol=1e-12)


@given(
    steps=st.lists(st.floats(0.001, 0.2), min_size=1, max_size=40),
    rate_hz=st.sampled_from([50.0, 200.0, 333.0]),
)
def test_an_uneven_ramp_is_resampled_exactly_and_no_sample_lies_outside(
    steps: list[float], rate_hz: float
) -> None:
    time_s = np.cumsum([0.0, *steps])
    taken = resampled(ramp(time_s), rate_hz, 0.25)
    assert taken.number.tolist() == list(range(len(taken.number)))
    assert taken.number[-1] / rate_hz <= time_s[-1] + 1e-6
    assert taken.number[-1] + 1 > (time_s[-1] - 1e-6) * rate_hz
    assert np.allclose(taken.readings[:, 0], taken.number / rate_hz, atol=1e-6)


def test_readings_on_the_grid_are_taken_as_they_are() -> None:
    values = np.random.default_rng(1).normal(size=(30, 9))
    recording = Recording("noise", np.arange(30) / 50, values, np.zeros(30))
    taken = resampled(recording, RATE_HZ, 0.25)
    assert np.allclose(taken.readings[::4], values)


def test_a_gap_longer_than_the_bound_stays_a_gap_and_a_shorter_one_does_not() -> None:
    time_s = np.concatenate([np.arange(50) / 50, 2 + np.arange(50) / 50])
    taken = resampled(ramp(time_s), RATE_HZ, 0.25)
    steps = np.diff(taken.number)
    assert steps.max() == 2 * 200 - 196
    assert (steps > 1).sum() == 1
    assert np.allclose(taken.readings[:, 0], taken.number / RATE_HZ)
    assert np.diff(resampled(ramp(time_s), RATE_HZ, 2.0).number).max() == 1


@given(st.lists(st.booleans(), min_size=1, max_size=200), st.integers(1, 70))
def test_frames_hold_every_sample_once_and_none_spans_a_gap(
    there: list[bool], longest: int
) -> None:
    number = np.flatnonzero([True, *there])
    rows = spans(number, longest)
    assert np.concatenate([np.arange(f, f + n) for f, n in rows.tolist()]).tolist() == list(
        range(len(number))
    )
    for first, count in rows.tolist():
        assert 1 <= count <= longest
        assert number[first + count - 1] - number[first] == count - 1


def test_a_recording_is_over_at_its_last_reading() -> None:
    assert ramp(np.array([5.0, 5.02, 5.07])).span_s == pytest.approx(0.07)
