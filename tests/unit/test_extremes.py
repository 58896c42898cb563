"""Thinned samples lose no peak, are as they were measured, and are never too many."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve.history import extremes
from serve.history.extremes import LEAST_POINTS, TIME, Extremes

NAMES = ("a", "b")
FROM_US = 1_767_225_600_000_000


def _samples(seed: int, count: int, span_us: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    times = FROM_US + np.sort(random.choice(span_us, count, replace=False))
    values = {name: random.standard_normal(count).astype(np.float32) for name in NAMES}
    for name in NAMES:
        # A few peaks, as knocks are: one sample long.
        values[name][random.integers(0, count, 3)] *= 50
    return {TIME: times, **values}


def _thinned(
    samples: dict[str, np.ndarray], span_us: int, points: int, pieces: list[int]
) -> Extremes:
    thinned = Extremes(NAMES, FROM_US, FROM_US + span_us, points)
    order = np.argsort(np.array(pieces * len(samples[TIME]))[: len(samples[TIME])], kind="stable")
    for piece in np.array_split(order, len(pieces)):
        thinned.add({name: column[piece] for name, column in samples.items()})
    return thinned


@settings(max_examples=60)
@given(
    st.integers(0, 2**32),
    st.integers(1, 3_000),
    st.integers(LEAST_POINTS, 400),
    st.lists(st.integers(0, 9), min_size=1, max_size=5),
    st.booleans(),
)
def test_no_peak_of_any_column_and_any_stretch_of_time_is_lost(
    seed: int, count: int, points: int, pieces: list[int], reduced: bool
) -> None:
    span_us = 10_000_000
    samples = _samples(seed, count, span_us)
    held, extremes._HELD_ROWS = extremes._HELD_ROWS, 100 if reduced else 500_000
    try:
        thinned = _thinned(samples, span_us, points, pieces)
        picked = thinned.picked()
    finally:
        extremes._HELD_ROWS = held
    assert thinned.total == count
    assert len(picked[TIME]) <= points
    assert (np.diff(picked[TIME]) > 0).all()
    rows = np.searchsorted(samples[TIME], picked[TIME])
    for name in NAMES:
        assert (picked[name] == samples[name][rows]).all()
        # Of each of the buckets too, however the pieces came.
        bucket = (samples[TIME] - FROM_US) // _bucket_us(span_us, points)
        mine = (picked[TIME] - FROM_US) // _bucket_us(span_us, points)
        for each in np.unique(bucket):
            whole, kept = samples[name][bucket == each], picked[name][mine == each]
            assert (whole.min(), whole.max()) == (kept.min(), kept.max())


def _bucket_us(span_us: int, points: int) -> int:
    buckets = max(1, points // (4 * len(NAMES)))
    return -(-span_us // (buckets * extremes._FINER)) * extremes._FINER


@pytest.mark.parametrize("count", [0, 1, LEAST_POINTS])
def test_what_is_no_more_than_the_points_is_given_whole(count: int) -> None:
    samples = _samples(1, count, 1_000) if count > 2 else _samples(1, 3, 1_000)
    thinned = Extremes(NAMES, FROM_US, FROM_US + 1_000, LEAST_POINTS)
    if count:
        thinned.add({name: column[:count] for name, column in samples.items()})
    picked = thinned.picked()
    assert thinned.method == extremes.ALL
    assert [len(picked[name]) for name in (TIME, *NAMES)] == [count] * 3


def test_more_points_than_the_extremes_are_chosen_by_minmaxlttb() -> None:
    samples = _samples(2, 20_000, 100_000_000)
    thinned = _thinned(samples, 100_000_000, 1_000, [0])
    # The two choose many peaks alike.
    assert 600 < len(thinned.picked()[TIME]) <= 1_000
    assert thinned.method == extremes.METHOD
