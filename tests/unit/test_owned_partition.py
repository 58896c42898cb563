"""However a slot dies, snapshot and silent replay give back the state and the outputs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.changelog import Saved
from pipelines.errors import PipelineStoppedError
from pipelines.ledger import (
    LEDGER_KEY,
    SNAPSHOT_KEY,
    Snapshot,
    decode_ledger,
    decode_snapshot,
    encode,
)
from pipelines.owned_partition import OwnedPartition, SlotIdentity
from pipelines.records import InputBatch, Output
from tests.integration.counting_operator import Counting, Counts

FIRST_OFFSET = 7
IDENTITY = SlotIdentity("counting", 1, 0, 1, "test")

inputs = st.lists(
    st.tuples(st.sampled_from([b"a", b"b", None]), st.integers(0, 99), st.integers(1, 3)),
    min_size=1,
    max_size=60,
)
"""Key, value and how far the offset lies from the one before."""

turns = st.lists(
    st.tuples(st.integers(1, 10), st.sampled_from(["commit", "snapshot", "die"])), max_size=40
)
"""How many records a turn takes, and how it ends."""


class Log:
    """A changelog partition that keeps what was committed."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}

    def commit(self, records: list[tuple[bytes, bytes | None]]) -> None:
        for key, value in records:
            if value is None:
                self.values.pop(key, None)
            else:
                self.values[key] = value

    def saved(self) -> Saved:
        state = dict(self.values)
        ledger, snapshot = state.pop(LEDGER_KEY, None), state.pop(SNAPSHOT_KEY, None)
        return Saved(
            ledger and decode_ledger(ledger),  # type: ignore[arg-type]
            snapshot and decode_snapshot(snapshot),  # type: ignore[arg-type]
            state,
        )


def _batch(rows: list[tuple[bytes | None, int, int]]) -> InputBatch:
    offsets = np.array([offset for _, _, offset in rows], np.int64)
    values = [str(value).encode() for _, value, _ in rows]
    return InputBatch([key for key, _, _ in rows], values, offsets, offsets * 0)


def _restored(log: Log) -> OwnedPartition[Counts]:
    return OwnedPartition(Counting("counting"), IDENTITY, 0, log.saved(), FIRST_OFFSET)


def _step(owned: OwnedPartition[Counts], batch: InputBatch) -> list[Output] | None:
    turn = owned.replay(batch)
    return None if turn is None else Counting("counting").step(*turn)


@given(inputs, turns)
def test_outputs_and_counts_are_those_of_a_run_that_never_died(
    rows: list[tuple[bytes | None, int, int]], plan: list[tuple[int, str]]
) -> None:
    offsets = FIRST_OFFSET + np.cumsum([gap for _, _, gap in rows]) - 1
    records = [(key, value, int(at)) for (key, value, _), at in zip(rows, offsets, strict=True)]
    operator = Counting("counting")
    state = operator.new_state(0)
    expected = operator.step(state, _batch(records))

    log, committed = Log(), list[Output]()
    owned = _restored(log)
    for count, end in [*plan, (len(records), "die"), (len(records), "snapshot")]:
        waiting = [record for record in records if record[2] >= owned.position][:count]
        if end == "die" or not waiting:
            if waiting:
                _step(owned, _batch(waiting))
            owned = _restored(log)
            continue
        outputs = _step(owned, _batch(waiting))
        if outputs is not None:
            committed += outputs
            log.commit(owned.changelog_records(1, end == "snapshot"))
    final = log.saved().ledger
    assert committed == expected
    assert final is not None
    assert final.next_offset == records[-1][2] + 1
    assert final.counts == operator.counts(state)


def test_a_takeover_changes_the_ledgers_owner_and_nothing_else() -> None:
    log = Log()
    owned = _restored(log)
    _step(owned, _batch([(b"a", 5, 9)]))
    log.commit(owned.changelog_records(1, True))
    before = log.saved().ledger
    successor = SlotIdentity("counting", 2, 3, 4, "newer")
    taken = OwnedPartition(Counting("counting"), successor, 0, log.saved(), FIRST_OFFSET)
    log.commit(taken.takeover_records(99))
    after = log.saved().ledger
    assert before is not None and after is not None
    assert (after.generation, after.slot, after.code_version) == (2, 3, "newer")
    assert (after.committed_us, after.counts) == (99, before.counts)
    assert (after.next_offset, after.snapshot_offset) == (10, 10)


def test_a_partition_never_committed_begins_where_its_log_begins() -> None:
    owned = _restored(Log())
    assert owned.position == owned.next_offset == FIRST_OFFSET
    assert not owned.replaying
    assert not owned.snapshot_behind


def test_state_made_under_other_rules_is_not_taken_over() -> None:
    log = Log()
    owned = _restored(log)
    _step(owned, _batch([(b"a", 5, 9)]))
    log.commit(owned.changelog_records(1, True))
    other = Counting("counting")
    other.rules = "window_s=4"
    log.commit([(SNAPSHOT_KEY, encode(Snapshot(10, {"records": 1}, "window_s=2")))])
    with pytest.raises(PipelineStoppedError, match=r"made with window_s=2, .* say window_s=4"):
        OwnedPartition(other, IDENTITY, 0, log.saved(), FIRST_OFFSET)
