"""A place is found by halving, in few looks, wherever the records of one sensor lie."""

from bisect import bisect_left

from hypothesis import given
from hypothesis import strategies as st

from cluster.trace.bisection import CLOSE, Sight, start_of


class Partition:
    """Records of one sensor, offset -> key, among others' that have none."""

    def __init__(self, keys: dict[int, int]) -> None:
        self.offsets = sorted(keys)
        self.keys = keys
        self.looks = 0

    def probe(self, start: int, end: int) -> Sight | None:
        self.looks += 1
        at = bisect_left(self.offsets, start)
        if at == len(self.offsets) or self.offsets[at] >= end:
            return None
        return Sight(self.offsets[at], (self.keys[self.offsets[at]],))


@given(
    offsets=st.sets(st.integers(0, 5_000), max_size=300),
    steps=st.lists(st.integers(0, 3), min_size=300, max_size=300),
    key=st.integers(-1, 600),
)
def test_no_record_that_reaches_the_key_lies_before_the_place(
    offsets: set[int], steps: list[int], key: int
) -> None:
    rising = [sum(steps[: at + 1]) for at in range(len(offsets))]
    partition = Partition(dict(zip(sorted(offsets), rising, strict=True)))
    start = start_of(0, 5_001, (key,), partition.probe)
    reaching = [o for o, k in partition.keys.items() if k >= key]
    if reaching:
        assert start <= min(reaching)
        skipped = [o for o in partition.offsets if start <= o < min(reaching)]
        assert len(skipped) <= CLOSE
    else:
        assert all(partition.keys[o] < key for o in partition.offsets if o >= start)


def test_a_week_of_records_is_halved_some_twenty_times() -> None:
    partition = Partition({offset: offset // 10 for offset in range(0, 2**21, 10)})
    start_of(0, 2**21, (99_999,), partition.probe)
    assert partition.looks <= 21


def test_an_empty_partition_is_not_looked_at() -> None:
    partition = Partition({})
    assert start_of(7, 7, (1,), partition.probe) == 7
    assert partition.looks == 0
