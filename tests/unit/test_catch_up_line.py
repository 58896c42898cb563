"""Who is first in line is read for, and with it whoever needs nearly the same."""

from collections import deque
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from serve.catch_up_line import SHARED_OFFSETS, begin_of, together
from serve.live_streams import Place


class Someone(NamedTuple):
    """Somebody in line."""

    place: Place
    next_offset: int


ANYONE = st.builds(
    Someone,
    st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 2)),
    st.integers(0, 3 * SHARED_OFFSETS),
)


@given(st.lists(ANYONE, min_size=1))
def test_everybody_has_a_turn_and_the_first_is_never_passed_by(waiting: list[Someone]) -> None:
    line = deque(waiting)
    served: list[Someone] = []
    while line:
        first, before = line[0], list(line)
        taken = together(line)
        assert taken[0] is first
        assert {one.place for one in taken} == {first.place}
        assert begin_of(taken) >= first.next_offset - SHARED_OFFSETS
        assert list(line) == [one for one in before if not any(one is t for t in taken)]
        served += taken
    assert sorted(served) == sorted(waiting)


def test_a_crowd_that_comes_back_at_once_is_read_for_together() -> None:
    line = deque(Someone(("a", 0), 1_000 + n) for n in range(1_000))
    assert len(together(line)) == 1_000
    assert not line
