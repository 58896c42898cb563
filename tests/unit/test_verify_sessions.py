"""The proof finds nothing wrong in the sessions published, and everything that is altered."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import topics
from pipelines.errors import DataError
from pipelines.operators.session_windows import read_window
from pipelines.settings import SessionSettings
from pipelines.verify.aggregated_records import Broken, read_aggregated
from pipelines.verify.stage_result import StageRow
from tests.unit.aggregated_partition import AggregatedPartition
from tests.unit.frame_building import Record
from tests.unit.session_run import (
    RULES,
    SENSORS,
    Move,
    motion,
    moves,
    records_of,
    tick,
    velocity,
)

SETTINGS = SessionSettings(**RULES)  # type: ignore[arg-type]


def windows() -> list[Record]:
    """Two sensors: updates, gaps, a reopening, an amendment, silence, a record that is none."""
    records: list[Record] = []
    for second in range(80):
        records.append(tick(second))
        if second % 2 == 0 and not 30 <= second < 40:
            records += [motion(second), velocity(second - 4)]
        if second % 2 == 1 and second < 20:
            records.append(motion(second if second < 10 else second + 50, SENSORS[1]))
        if second == 25:
            records += [(b"sensor1", b"no window", 0), motion(3, SENSORS[1])]
        if second == 37:
            records.append(velocity(4))
    return records + [tick(second) for second in range(80, 180)]


@pytest.fixture
def partition() -> AggregatedPartition:
    """These windows, made to sessions."""
    return AggregatedPartition(windows(), SETTINGS)


def summary(row: StageRow) -> tuple[int, int, int]:
    """Lost, doubled and wrong."""
    return row.lost, row.doubled, row.wrong


def test_what_the_pipeline_made_is_found_right(partition: AggregatedPartition) -> None:
    row = partition.verify()
    assert (summary(row), row.differences) == ((0, 0, 0), [])
    kinds = [partition.outputs[topics.SESSIONS][at][1].split(b'"')[3] for at in partition.events()]
    assert set(kinds) == {b"started", b"updated", b"closed", b"reopened", b"amended"}
    assert row.checked["events"] == len(kinds)
    assert row.checked["dead_letters"] == 1


@given(moves)
@settings(max_examples=200, deadline=None)
def test_no_stream_of_windows_raises_a_false_alarm(stream: list[Move]) -> None:
    row = AggregatedPartition(records_of(stream), SETTINGS).verify()
    assert row.differences == []


@given(moves, st.data())
@settings(max_examples=60, deadline=None)
def test_nor_does_one_of_which_retention_deleted_the_beginning(
    stream: list[Move], data: st.DataObject
) -> None:
    partition = AggregatedPartition(records_of(stream), SETTINGS)
    first = data.draw(st.integers(0, len(partition.input)))
    assert partition.verify(first_offset=first).differences == []


def test_input_past_the_ledger_is_not_lost(partition: AggregatedPartition) -> None:
    partition.input.append(motion(1_000))
    assert summary(partition.verify()) == (0, 0, 0)


def test_every_dropped_event_is_lost(partition: AggregatedPartition) -> None:
    for at in partition.events():
        dropped = AggregatedPartition(windows(), SETTINGS)
        del dropped.outputs[topics.SESSIONS][at]
        row = dropped.verify()
        assert summary(row) == (1, 0, 0)
        assert "is missing" in str(row.differences[0])


def test_every_doubled_event_is_doubled(partition: AggregatedPartition) -> None:
    for at in partition.events():
        doubled = AggregatedPartition(windows(), SETTINGS)
        stored = doubled.outputs[topics.SESSIONS]
        stored.insert(at, stored[at])
        row = doubled.verify()
        assert summary(row) == (0, 1, 0)
        assert "comes once more" in str(row.differences[0])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("event", "amended "),
        ("state", "ajar"),
        ("windows", 77),
        ("samples", 1),
        ("gaps", 3),
        ("late", 3),
        ("start_us", 0),
        ("end_us", 0),
        ("acc_mag_max", 2.0001),
        ("gyro_mag_max", math.pi),
        ("velocity_windows", 99),
        ("velocity_max", 9.9),
        ("distance_m", 1e-3),
        ("first_boot", 5),
        ("last_boot", 5),
        ("closed_by", "hand"),
        ("another", 1),
    ],
)
def test_every_altered_field_is_wrong(
    partition: AggregatedPartition, field: str, value: object
) -> None:
    partition.edit(partition.events()[4], **{field: value})
    row = partition.verify()
    assert summary(row) == (0, 0, 1)
    assert f"differs in {field}" in str(row.differences[0])


def test_an_event_under_another_id_is_wrong_and_the_right_one_lost(
    partition: AggregatedPartition,
) -> None:
    partition.edit(partition.events()[1], session_id="sensor1_5")
    assert summary(partition.verify()) == (1, 0, 1)


def test_a_revision_left_out_is_a_wrong_one_and_a_lost_one(partition: AggregatedPartition) -> None:
    partition.edit(partition.events()[-1], revision=1_000)
    assert summary(partition.verify()) == (1, 0, 1)


def test_an_event_that_no_window_explains_is_wrong(partition: AggregatedPartition) -> None:
    stored = partition.outputs[topics.SESSIONS]
    stored.append(stored[partition.events()[0]])
    partition.edit(len(stored) - 1, session_id="sensor1_7", through_offset=partition.next_offset)
    row = partition.verify()
    assert summary(row) == (0, 0, 1)
    assert "follows from no window or tick" in str(row.differences[0])


def test_what_is_no_event_is_wrong(partition: AggregatedPartition) -> None:
    partition.outputs[topics.SESSIONS].append((b"sensor1", b"{}", ()))
    assert summary(partition.verify()) == (0, 0, 1)


def test_a_tick_not_forwarded_is_lost(partition: AggregatedPartition) -> None:
    stored = partition.outputs[topics.SESSIONS]
    del stored[next(at for at in range(50, 200) if at not in partition.events())]
    assert summary(partition.verify()) == (1, 0, 0)


def test_a_tick_forwarded_twice_is_doubled(partition: AggregatedPartition) -> None:
    stored = partition.outputs[topics.SESSIONS]
    at = next(at for at in range(50, 200) if at not in partition.events())
    stored.insert(at, stored[at])
    assert summary(partition.verify()) == (0, 1, 0)


def test_a_dropped_dead_letter_is_lost(partition: AggregatedPartition) -> None:
    partition.outputs[topics.DEAD_LETTERS].clear()
    assert summary(partition.verify()) == (1, 0, 0)


def test_a_doubled_dead_letter_is_doubled(partition: AggregatedPartition) -> None:
    partition.outputs[topics.DEAD_LETTERS] *= 2
    assert summary(partition.verify()) == (0, 1, 0)


def test_a_dead_letter_of_other_bytes_is_wrong(partition: AggregatedPartition) -> None:
    ((key, _, headers),) = partition.outputs[topics.DEAD_LETTERS]
    partition.outputs[topics.DEAD_LETTERS] = [(key, b"NO window", headers)]
    assert summary(partition.verify()) == (0, 0, 1)


@pytest.mark.parametrize(
    "name",
    ["ticks", "windows", "velocity_unmatched", "sessions_reopened", "events", "samples"],
)
def test_a_ledger_that_counts_otherwise_is_wrong(partition: AggregatedPartition, name: str) -> None:
    partition.counts[name] += 1
    row = partition.verify()
    assert row.wrong >= 1
    assert any(f"{name}, the data" in str(difference) for difference in row.differences)


def test_a_ledger_ahead_of_its_input_is_wrong(partition: AggregatedPartition) -> None:
    partition.next_offset += 1
    assert summary(partition.verify()) == (0, 0, 1)


@given(st.integers(0, 1_000), st.integers(0, 255), st.booleans())
@settings(max_examples=500, deadline=None)
def test_operator_and_proof_agree_on_what_is_a_window(at: int, byte: int, moving: bool) -> None:
    key, value, _ = motion(5, gaps=3) if moving else velocity(5)
    assert key is not None
    altered = bytearray(value)
    altered[at % len(value)] = byte
    try:
        read_window(key, bytes(altered))
        refused = False
    except DataError:
        refused = True
    assert isinstance(read_aggregated(key, bytes(altered)), Broken) == refused
