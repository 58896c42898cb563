"""Ticks: when one is due, and its number."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipelines.ticks import Tick, TickSchedule, decode_tick, encode_tick

START_S = 1_760_000_000


def test_a_tick_names_the_second_of_its_publishing() -> None:
    assert TickSchedule().next(START_S * 1_000_000 + 5, 100.0) == Tick(
        START_S, START_S * 1_000_000 + 5
    )


def test_one_tick_is_due_each_second_and_one_after_a_stall() -> None:
    schedule = TickSchedule()
    times = [0.0, 0.5, 0.999, 1.001, 1.5, 2.0, 60.0, 60.001, 60.9, 61.0]
    due = [s for s in times if schedule.next(int((START_S + s) * 1e6), 500 + s) is not None]
    assert due == [0.0, 1.001, 2.0, 60.0, 61.0]


@given(st.lists(st.integers(-5_000_000, 5_000_000), min_size=1, max_size=50))
def test_numbers_rise_whatever_is_done_to_the_wall_clock(steps_us: list[int]) -> None:
    schedule = TickSchedule()
    now_us = START_S * 1_000_000
    numbers = []
    for second, step_us in enumerate(steps_us):
        now_us += 1_000_000 + step_us
        tick = schedule.next(now_us, float(second))
        assert tick is not None
        numbers.append(tick.tick)
    assert all(a < b for a, b in pairwise(numbers))


@given(st.integers(0, 2**40), st.integers(0, 2**60))
def test_a_tick_is_read_as_it_was_written(number: int, published_us: int) -> None:
    assert decode_tick(encode_tick(Tick(number, published_us))) == Tick(number, published_us)
