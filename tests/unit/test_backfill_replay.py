"""A replay gives what the live run gave, however it is cut, interrupted or begun."""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import topics
from pipelines.archive.layout import ArchivedHour, OffsetRange
from pipelines.archive.schemas import SCHEMAS, TIME_COLUMN
from pipelines.archive.sorting import sort_rows
from pipelines.backfill.chain import SavedOperator
from pipelines.backfill.output_tables import tables_of
from pipelines.backfill.plan import (
    FileTimes,
    PartitionPlan,
    plan_partition,
    ranges_by_partition,
)
from pipelines.backfill.raw_records import records_of
from pipelines.backfill.replay import Chunk, Replay, Saved
from pipelines.backfill.sensor_choice import parse_choice
from pipelines.backfill.time_span import TimeSpan
from pipelines.operators.sensor_processing import SensorProcessing
from pipelines.operators.session_aggregation import SessionAggregation
from pipelines.settings import ProcessingSettings, SessionSettings, load_settings
from tests.unit.archived_fleet import FAULTY, START_US, fleet_records, raw_table
from tests.unit.device_streams import Move, moves
from tests.unit.device_streams import records_of as stream_records
from tests.unit.frame_building import Record, batch

PARTITION = 3
PIPELINES = (SensorProcessing.name, SessionAggregation.name)
ALL = TimeSpan()
Tables = dict[str, pa.Table]


class Partition(NamedTuple):
    """A partition's records, and the live run's rows of them."""

    records: list[Record]
    rows: Tables


@pytest.fixture(scope="module")
def faulty() -> list[Partition]:
    """The partitions of a fleet with every fault that have sensors."""
    found = [r for r in fleet_records(FAULTY).values() if any(key is not None for key, _, _ in r)]
    assert len(found) >= 5
    return [Partition(records, live(records)) for records in found]


def live(records: list[Record], partition: int = PARTITION) -> Tables:
    """What sensor_processing and session_aggregation give for all records at once."""
    processing = SensorProcessing(ProcessingSettings(), "test")
    outputs = processing.step(processing.new_state(partition), batch(records))
    sessions = SessionAggregation(SessionSettings(), "test")
    windows = [output for output in outputs if output.topic == topics.AGGREGATED]
    outputs += sessions.step(
        sessions.new_state(partition), batch([(w.key, w.value, 0) for w in windows])
    )
    return sorted_tables(tables_of(outputs, ALL))


def sorted_tables(tables: Tables) -> Tables:
    """Return rows as the archive's files hold them, but for the offsets of session events.

    There the live run has those of sensor-data-aggregated.
    """
    found = {}
    for topic, schema in SCHEMAS.items():
        if topic in WRITTEN:
            table = tables.get(topic, schema.empty_table())
            found[topic] = sort_rows([table], TIME_COLUMN[topic]).table.cast(schema)
    found[topics.SESSIONS] = found[topics.SESSIONS].drop_columns(["offset", "through_offset"])
    return found


WRITTEN = (topics.TRANSFORMED, topics.AGGREGATED, topics.SESSIONS, topics.DEAD_LETTERS)


def whole(records: list[Record], start: int = 0, emit: int = 0) -> PartitionPlan:
    count = len(records)
    return PartitionPlan(PARTITION, 0, start, emit, count, count)


def replay(
    records: list[Record],
    plan: PartitionPlan,
    span: TimeSpan = ALL,
    saved: Saved | None = None,
    batch_rows: int = 10**9,
    **limits: int,
) -> Iterator[Chunk]:
    made = Replay(plan, span, PIPELINES, load_settings(backfill=limits), "test", saved)
    first = made.saved.next_offset
    stream = (
        batch(records[at : at + batch_rows], at) for at in range(first, len(records), batch_rows)
    )
    return made.chunks(stream)


def joined(chunks: list[Chunk]) -> Tables:
    return sorted_tables(
        {
            topic: pa.concat_tables(
                [chunk.tables[topic] for chunk in chunks if topic in chunk.tables]
            )
            for topic in {topic for chunk in chunks for topic in chunk.tables}
        }
    )


@given(moves, st.integers(1, 40), st.integers(1, 5_000), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_however_it_is_cut_a_replay_gives_the_rows_of_the_live_run(
    stream: list[Move], batch_rows: int, chunk_bytes: int, step_records: int
) -> None:
    records = stream_records(stream)
    if records:
        cut = replay(
            records,
            whole(records),
            batch_rows=batch_rows,
            chunk_bytes=chunk_bytes,
            step_records=step_records,
        )
        assert joined(list(cut)) == live(records)


@given(moves, st.integers(1, 5_000), st.integers(1, 9), st.data())
@settings(max_examples=60, deadline=None)
def test_a_replay_that_goes_on_from_any_chunk_makes_the_same_chunks(
    stream: list[Move], chunk_bytes: int, step_records: int, data: st.DataObject
) -> None:
    records = stream_records(stream)
    if not records:
        return
    limits = {"chunk_bytes": chunk_bytes, "step_records": step_records}
    once = list(replay(records, whole(records), **limits))
    stopped = data.draw(st.integers(0, len(once) - 1))
    if once[stopped].saved.done:
        return
    again = list(replay(records, whole(records), saved=once[stopped].saved, **limits))
    assert len(again) == len(once) - stopped - 1
    for expected, found in zip(once[stopped + 1 :], again, strict=True):
        assert (found.start, found.end) == (expected.start, expected.end)
        assert sorted_tables(found.tables) == sorted_tables(expected.tables)
        # Saved windows hold their place in memory too, which may differ.
        assert stateless(found.saved) == stateless(expected.saved)


def stateless(saved: Saved) -> Saved:
    kept = {
        name: SavedOperator(one.counts, [(key, b"") for key, _ in one.state])
        for name, one in saved.pipelines.items()
    }
    return msgspec.structs.replace(saved, pipelines=kept)


def test_rows_of_the_archive_become_the_records_they_were(faulty: list[Partition]) -> None:
    records = faulty[0].records
    table = raw_table(records, 17).sort_by([("sensor_id", "ascending")])
    found, expected = records_of(table), batch(records, 17)
    assert found.keys == expected.keys
    assert found.values == expected.values
    assert found.offsets.tolist() == expected.offsets.tolist()
    assert found.received_us.tolist() == expected.received_us.tolist()


def test_chosen_sensors_have_the_rows_that_they_have_among_all(faulty: list[Partition]) -> None:
    records, rows = max(faulty, key=lambda partition: len(partition.records))
    ids = sorted({key.decode() for key, _, _ in records if key is not None})
    chosen = parse_choice(ids[0])
    table = chosen.rows(raw_table(records, 0))
    assert 0 < len(table) < len(records)
    made = Replay(whole(records), ALL, PIPELINES, load_settings(), "test").chunks(
        iter([records_of(table)])
    )
    expected = {
        topic: all_rows.filter(pa.compute.equal(all_rows["sensor_id"], ids[0])).combine_chunks()
        for topic, all_rows in rows.items()
    }
    assert joined(list(made)) == expected


def test_a_span_has_the_rows_of_the_live_run_that_lie_in_it(faulty: list[Partition]) -> None:
    span = TimeSpan(START_US + 20_000_000, START_US + 50_000_000)
    for records, rows in faulty:
        expected = within(rows, span)
        last = max(received_us for _, _, received_us in records)
        emit_end = sum(received_us < span.to_us + 12_000_000 for _, _, received_us in records)
        assert last > span.to_us
        plan = PartitionPlan(PARTITION, 0, 0, 0, emit_end, len(records))
        chunks = list(replay(records, plan, span, step_records=10))
        assert joined(chunks) == expected
        assert chunks[-1].saved.done
        assert chunks[-1].end < len(records), "it stops once the span's windows are closed"


def within(tables: Tables, span: TimeSpan) -> Tables:
    found = {}
    for topic, table in tables.items():
        times = table[TIME_COLUMN[topic]].to_numpy()
        chosen = (times >= (span.from_us or 0)) & (times < (span.to_us or 2**62))
        found[topic] = table.filter(pa.array(chosen)).combine_chunks()
    return found


@given(st.integers(0, 80_000_000), st.integers(0, 12_000_000), st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_a_later_start_is_exact_from_where_it_says(
    faulty: list[Partition], after_us: int, warm_up_us: int, which: int
) -> None:
    """Samples, windows and dead letters equal the live run's; boots differ by a constant."""
    records, rows = faulty[which % len(faulty)]
    span = TimeSpan(START_US + 5_000_000 + after_us, None)
    plan = later_start(records, span, warm_up_us)
    chunks = list(replay(records, plan, span))
    exact_from = chunks[-1].saved.exact_from_us
    found, expected = joined(chunks), within(rows, span)
    for sensor_id in {key.decode() for key, _, _ in records if key is not None}:
        since = exact_from.get(sensor_id, span.from_us)
        for topic, time in TIMES.items():
            if since is not None:
                ours = rows_since(found[topic], sensor_id, time, since)
                assert ours == rows_since(expected[topic], sensor_id, time, since)
    assert found[topics.DEAD_LETTERS] == expected[topics.DEAD_LETTERS]


TIMES = {topics.TRANSFORMED: "timestamp_us", topics.AGGREGATED: "start_us"}


def later_start(records: list[Record], span: TimeSpan, warm_up_us: int) -> PartitionPlan:
    """Plan as for an archive with one file for each record."""
    table = raw_table(records, 0)
    columns = (table["timestamp_us"].to_pylist(), table["received_us"].to_pylist())
    times = [
        FileTimes(sent, sent, received, received) for sent, received in zip(*columns, strict=True)
    ]
    files = [
        ArchivedHour(OffsetRange(topics.RAW, PARTITION, at, at + 1), 0)
        for at in range(len(records))
    ]
    plan = plan_partition(
        PARTITION,
        ranges_by_partition(files)[PARTITION],
        span,
        lambda file: times[file.range.start],
        reach_us=1_000_000,
        warm_up_us=warm_up_us,
    )
    assert plan is not None
    return plan


def rows_since(table: pa.Table, sensor_id: str, time: str, since: int) -> pa.Table:
    """Return a sensor's rows from a time on, with boots counted from the first of them."""
    table = table.filter(
        pa.compute.and_(
            pa.compute.equal(table["sensor_id"], sensor_id),
            pa.compute.greater_equal(table[time], since),
        )
    )
    if not len(table):
        return table
    boots = table["boot"].to_numpy()
    counted = pa.array(boots - boots.min(), pa.int32())
    at = table.schema.get_field_index("boot")
    return table.set_column(at, table.schema.field("boot"), counted).combine_chunks()
