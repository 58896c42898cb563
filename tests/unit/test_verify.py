"""Verification finds nothing wrong in what the pipeline made, and everything that is altered."""

from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings

from pipelines import topics
from pipelines.settings import ProcessingSettings
from pipelines.transformed import SCHEMA
from pipelines.verify.result import PartitionRow
from tests.unit.device_streams import Move, moves, records_of
from tests.unit.frame_building import START_US, Record, frame_on_time, record, tick
from tests.unit.processed_partition import ProcessedPartition

ARROW = topics.ARROW_TYPE.encode()
SETTINGS = ProcessingSettings(stop_min_sensors=1_000)


def session() -> list[Record]:
    """Two sensors over 20 s with every fault but reboots, then silence."""
    records: list[Record] = []
    for k in range(60):
        base = 64 * k
        payload = frame_on_time(base)
        records.append(record(payload, b"sensor1"))
        if k % 7 == 3:
            records.append(record(payload, b"sensor1"))
        if k % 9 == 4:
            records.append(record(payload[:700], b"sensor1"))
            records.append(record(b"garbage" + payload, "αισθητήρας".encode()))
        if k % 5 != 1:
            records.append(record(frame_on_time(base), b"sensor2"))
        if k % 3 == 0:
            records.append(tick())
    ahead = frame_on_time(64 * 60, start_us=START_US + 3_600_000_000)
    records.append(record(ahead, b"sensor2"))
    records.append(record(frame_on_time(64 * 60, samples=0), b"sensor2"))
    return records + [tick() for _ in range(12)]


@pytest.fixture
def partition() -> ProcessedPartition:
    """That session, processed."""
    return ProcessedPartition(session(), SETTINGS)


def rows_of(value: bytes) -> pa.Table:
    """The rows of one record of sensor-data-transformed."""
    return pa.ipc.open_stream(value).read_all()


def stream_of(table: pa.Table) -> bytes:
    """The record that holds these rows."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, SCHEMA) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def arrow_records(partition: ProcessedPartition) -> list[int]:
    """Where the records of rows stand; the others are ticks."""
    stored = partition.outputs[topics.TRANSFORMED]
    return [i for i, (_, _, headers) in enumerate(stored) if ("content-type", ARROW) in headers]


def edit_rows(
    partition: ProcessedPartition, at: int, edit: Callable[[pa.Table], pa.Table]
) -> pa.Table:
    """Replace the rows of the at-th record of rows; returns the rows it had."""
    stored = partition.outputs[topics.TRANSFORMED]
    index = arrow_records(partition)[at]
    key, value, headers = stored[index]
    table = rows_of(value)
    stored[index] = (key, stream_of(edit(table)), headers)
    return table


def edit_window(
    partition: ProcessedPartition, at: int, edit: Callable[[dict[str, Any]], None]
) -> None:
    """Change the at-th window."""
    stored = partition.outputs[topics.AGGREGATED]
    motion = [i for i, (key, _, _) in enumerate(stored) if key is not None]
    key, value, headers = stored[motion[at]]
    window = orjson.loads(value)
    edit(window)
    stored[motion[at]] = (key, orjson.dumps(window), headers)


def summary(row: PartitionRow) -> tuple[int, int, int]:
    """Lost, doubled and wrong."""
    return row.lost, row.doubled, row.wrong


def test_what_the_pipeline_made_is_found_right(partition: ProcessedPartition) -> None:
    row = partition.verify()
    assert (summary(row), row.differences) == ((0, 0, 0), [])
    assert row.transformed > 100
    assert row.duplicates == 9
    assert row.dead_letters == 15
    assert row.heartbeats == 1
    assert row.windows > 15


@given(moves)
@settings(max_examples=60, deadline=None)
def test_no_stream_of_devices_raises_a_false_alarm(stream: list[Move]) -> None:
    # A device that restarts within its first two seconds, its first frames swapped, looks as if
    # its clock had been set: the pipeline then takes the older frame for a duplicate.
    kinds = {move for move, _, _ in stream}
    assume(not {"reboot", "swap"} <= kinds)
    # Samples sent again in a frame that begins before a clock step: the pipeline goes by their
    # numbers, the proof by number and time, and takes them for new ones.
    assume(not {"step", "overlap"} <= kinds)
    row = ProcessedPartition(records_of(stream), SETTINGS).verify()
    assert row.differences == []


def test_input_past_the_ledger_is_not_lost(partition: ProcessedPartition) -> None:
    partition.raw += [record(frame_on_time(64 * 61), b"sensor1")]
    assert partition.verify().differences == []


def test_a_missing_row_is_lost_and_named(partition: ProcessedPartition) -> None:
    table = edit_rows(partition, 3, lambda t: pa.concat_tables([t.slice(0, 70), t.slice(71)]))
    row = partition.verify()
    lost = row.differences[0]
    assert row.lost == 1
    assert (lost.kind, lost.sensor_id) == ("lost", table["sensor_id"][70].as_py())
    assert (lost.offset, lost.sample) == (
        table["raw_offset"][70].as_py(),
        table["sample_index"][70].as_py(),
    )


def test_a_missing_record_of_rows_is_lost(partition: ProcessedPartition) -> None:
    table = edit_rows(partition, 2, lambda t: t.slice(0, 0))
    assert partition.verify().lost == len(table)


def test_a_row_that_is_there_twice_is_doubled_and_named(partition: ProcessedPartition) -> None:
    table = edit_rows(partition, 3, lambda t: pa.concat_tables([t.slice(0, 71), t.slice(70)]))
    row = partition.verify()
    doubled = row.differences[0]
    assert (row.lost, row.doubled) == (0, 1)
    assert (doubled.kind, doubled.sample) == ("doubled", table["sample_index"][70].as_py())


@pytest.mark.parametrize("far", [False, True])
def test_a_record_of_rows_that_is_there_twice_is_doubled(
    partition: ProcessedPartition, far: bool
) -> None:
    stored = partition.outputs[topics.TRANSFORMED]
    again = stored[arrow_records(partition)[1]]
    stored.insert(len(stored) if far else arrow_records(partition)[1], again)
    row = partition.verify()
    assert (row.lost, row.doubled) == (0, len(rows_of(again[1])))


@pytest.mark.parametrize(
    "column", ["acc_x", "gyro_z", "mag_y", "accl_mag", "gyro_mag", "temp_raw", "timestamp_us"]
)
def test_an_altered_value_is_wrong(partition: ProcessedPartition, column: str) -> None:
    def alter(table: pa.Table) -> pa.Table:
        values = table[column].to_numpy().copy()
        values[5] = values[5] + np.asarray(1).astype(values.dtype)
        field = SCHEMA.field(column)
        return table.set_column(SCHEMA.get_field_index(column), field, pa.array(values, field.type))

    table = edit_rows(partition, 1, alter)
    row = partition.verify()
    named = row.differences[0]
    assert row.wrong >= 1
    assert (named.kind, named.sample) == ("wrong", table["sample_index"][5].as_py())


def test_rows_of_a_sensor_that_sent_nothing_are_wrong(partition: ProcessedPartition) -> None:
    def alter(table: pa.Table) -> pa.Table:
        ids = ["nobody"] * len(table)
        return table.set_column(0, SCHEMA.field(0), pa.array(ids).dictionary_encode())

    edit_rows(partition, 1, alter)
    row = partition.verify()
    assert (row.lost > 0, row.wrong > 0) == (True, True)


def test_rows_marked_late_that_were_not_are_wrong(partition: ProcessedPartition) -> None:
    def alter(table: pa.Table) -> pa.Table:
        late = pa.array([True] * len(table))
        return table.set_column(SCHEMA.get_field_index("late"), SCHEMA.field("late"), late)

    edit_rows(partition, 1, alter)
    assert partition.verify().wrong > 0


def test_a_missing_window_is_lost(partition: ProcessedPartition) -> None:
    stored = partition.outputs[topics.AGGREGATED]
    del stored[next(i for i, (key, _, _) in enumerate(stored) if key is not None)]
    row = partition.verify()
    assert row.lost == 1
    assert any("is missing" in difference.what for difference in row.differences)


def test_a_window_published_twice_is_doubled(partition: ProcessedPartition) -> None:
    stored = partition.outputs[topics.AGGREGATED]
    stored.append(next(item for item in stored if item[0] is not None))
    assert partition.verify().doubled == 1


@pytest.mark.parametrize(
    ("path", "by"),
    [
        ("samples", 1),
        ("first_sample", 1),
        ("last_sample", 1),
        ("end_us", 1),
        ("gaps", 1),
        ("late", 1),
        ("acc_mag.mean", 1e-7),
        ("acc_mag.min", 1e-7),
        ("gyro_mag.rms", 1e-4),
        ("gyro_mag.std", 1e-4),
    ],
)
def test_an_altered_window_is_wrong(partition: ProcessedPartition, path: str, by: float) -> None:
    def alter(window: dict[str, Any]) -> None:
        *outer, name = path.split(".")
        target = window[outer[0]] if outer else window
        target[name] += by

    edit_window(partition, 4, alter)
    row = partition.verify()
    assert row.wrong >= 1
    assert path in row.differences[0].what


def test_a_missing_dead_letter_is_lost_and_named(partition: ProcessedPartition) -> None:
    missing = partition.outputs[topics.DEAD_LETTERS].pop(2)
    row = partition.verify()
    source = dict(missing[2])["source"].decode()
    assert row.lost == 1
    assert row.differences[0].offset == int(source.rpartition("/")[2])


@pytest.mark.parametrize("at", [1, -1])
def test_a_second_dead_letter_is_doubled(partition: ProcessedPartition, at: int) -> None:
    stored = partition.outputs[topics.DEAD_LETTERS]
    stored.insert(len(stored) if at < 0 else at, stored[0])
    assert partition.verify().doubled == 1


def test_a_dead_letter_with_other_bytes_is_wrong(partition: ProcessedPartition) -> None:
    stored = partition.outputs[topics.DEAD_LETTERS]
    key, value, headers = stored[0]
    stored[0] = (key, value[:-1] + bytes([value[-1] ^ 1]), headers)
    assert summary(partition.verify()) == (0, 0, 1)


def test_a_dead_letter_of_good_bytes_is_wrong(partition: ProcessedPartition) -> None:
    stored = partition.outputs[topics.DEAD_LETTERS]
    key, value, headers = stored[0]
    others = [h for h in headers if h[0] != "byte-range"]
    stored.insert(0, (key, value, [*others, ("byte-range", b"0-1")]))
    assert partition.verify().wrong == 1


@pytest.mark.parametrize(
    "name", ["frames", "transformed", "duplicates", "dead_letters", "samples", "bytes", "windows"]
)
def test_a_count_that_the_ledger_has_wrong_is_wrong(
    partition: ProcessedPartition, name: str
) -> None:
    partition.counts[name] += 1
    row = partition.verify()
    assert row.wrong >= 1
    assert name in str(row.differences)


def test_a_sensor_forgotten_after_long_silence_may_begin_anew() -> None:
    forgetful = ProcessingSettings(forget_ticks=60)
    records = [record(frame_on_time(64 * k)) for k in range(10)]
    records += [tick()] * 70
    records += [record(frame_on_time(64 * k)) for k in range(10)]
    assert ProcessedPartition(records, forgetful).verify().differences == []
