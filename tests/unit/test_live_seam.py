"""From catching up to live: every message once, however the two readers interleave."""

from hypothesis import given
from hypothesis import strategies as st

from serve.live_seam import Seam

LOG = st.lists(st.integers(1, 3), max_size=40)
"""How far each record lies after the one before it: transaction markers own offsets too."""
STEPS = st.lists(st.tuples(st.sampled_from(["commit", "live", "tell", "old"]), st.integers(1, 5)))


class Partition:
    """A log that grows, and the two readers that go over it, each at its own pace."""

    def __init__(self, gaps: list[int], committed: int) -> None:
        offsets = [sum(gaps[: n + 1]) - 1 for n in range(len(gaps))]
        self.offsets = offsets
        self.committed = min(committed, len(offsets))
        # The live reader begins at the end; what it tells of its place comes later than it reads.
        self.live_at = self.committed
        self.told_next = self.end(self.committed)

    def end(self, count: int) -> int:
        return self.offsets[count - 1] + 1 if count else 0


@given(LOG, st.integers(0, 40), st.integers(-1, 60), STEPS)
def test_no_message_is_missed_and_none_doubled(
    gaps: list[int], committed: int, last_got: int, steps: list[tuple[str, int]]
) -> None:
    log = Partition(gaps, committed)
    last_got = min(last_got, log.end(log.committed) - 1)
    seam = Seam(last_got + 1)
    got: list[int] = []
    old_at = sum(offset <= last_got for offset in log.offsets)
    for kind, count in [*steps, ("commit", 40), ("old", 40), ("live", 40), ("tell", 1), ("old", 1)]:
        if kind == "commit":
            log.committed = min(log.committed + count, len(log.offsets))
        elif kind == "live":
            # Handed over in the event loop, as they are read.
            for offset in log.offsets[log.live_at : min(log.live_at + count, log.committed)]:
                if seam.takes_live(offset):
                    got.append(offset)
                log.live_at += 1
        elif kind == "tell":
            log.told_next = log.end(log.live_at)
        elif not seam.live:
            for offset in log.offsets[old_at : min(old_at + count, log.committed)]:
                if seam.takes_old(offset):
                    got.append(offset)
                old_at += 1
            seam.read_through(log.end(old_at))
            seam.join(log.told_next)
    assert seam.live
    # After the seam the live reader alone gives; what it has handed over before it never repeats.
    assert got == [offset for offset in log.offsets if offset > last_got]


def test_a_client_that_missed_nothing_is_live_at_once() -> None:
    assert Seam(7).join(7)
    assert Seam(8).join(7)
    assert not Seam(6).join(7)


def test_what_lies_before_the_clients_place_is_not_given_again() -> None:
    seam = Seam(5)
    assert [seam.takes_old(offset) for offset in (3, 4, 5, 5, 6)] == [
        False,
        False,
        True,
        False,
        True,
    ]
