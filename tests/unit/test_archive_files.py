"""The files of a range: a pure function of it, sorted, complete, and telling what they hold."""

import io
import itertools

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import topics
from pipelines.archive.files import files_of
from pipelines.archive.layout import OffsetRange, path_of
from pipelines.archive.pending import Pending
from pipelines.archive.record import Record
from pipelines.archive.row_groups import row_groups
from pipelines.archive.rows import rows_of
from pipelines.archive.schemas import SCHEMAS
from pipelines.sinks.sink_offsets import Place
from tests.unit.archive_records import HOUR_US, START_US, motion, samples, tick, velocity

_PLACE = Place(topics.TRANSFORMED, 3)


def _written(pending: Pending) -> dict[str, bytes]:
    offsets = OffsetRange(*pending.place, pending.start, pending.position)
    return {path_of(f.file): f.content for f in files_of(offsets, pending.pieces, pending.records)}


def _read(content: bytes) -> pa.Table:
    return pq.read_table(io.BytesIO(content))


_streams = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "sensor-ä", "zz"]),
            st.integers(-2 * HOUR_US, 2 * HOUR_US) | st.integers(START_US, START_US + 2 * HOUR_US),
        ),
        min_size=1,
        max_size=8,
    )
    | st.none(),
    min_size=1,
    max_size=12,
)


def _records(streams: list[list[tuple[str, int]] | None]) -> list[Record]:
    """A tick for each None; offsets with holes, as transaction markers make them."""
    return [
        tick(3 * at + 5) if rows is None else samples(3 * at + 5, rows)
        for at, rows in enumerate(streams)
    ]


@settings(deadline=None)
@given(_streams, st.lists(st.integers(0, 12), max_size=5), st.integers(0, 12))
def test_a_range_gives_the_same_bytes_however_it_was_polled_and_after_any_restart(
    streams: list[list[tuple[str, int]] | None], cuts: list[int], restart: int
) -> None:
    records = _records(streams)
    if all(rows is None for rows in streams):
        return
    end = records[-1].offset + 3
    at_once = Pending(_PLACE, 0)
    at_once.add(records, 0.0)
    at_once.skip_to(end, 1.0)
    # Polled in pieces; what came before the first row was committed as without rows, and is not
    # read again after a restart.
    leading = next(i for i, rows in enumerate(streams) if rows is not None)
    skipped = min(restart, leading)
    known_to = records[skipped - 1].offset + 1 if skipped else None
    in_pieces = Pending(_PLACE, 0, known_to)
    edges = sorted({skipped, len(records), *(c for c in cuts if skipped < c < len(records))})
    for first, last in itertools.pairwise(edges):
        in_pieces.add(records[first:last], 1.0)
    in_pieces.skip_to(end, 1.0)
    assert _written(in_pieces) == _written(at_once)


@settings(deadline=None)
@given(_streams)
def test_the_files_of_a_range_hold_each_row_once_in_its_hour_and_in_order(
    streams: list[list[tuple[str, int]] | None],
) -> None:
    records = [record for record in _records(streams) if not record.is_tick]
    if not records:
        return
    rows = rows_of(topics.TRANSFORMED, records)
    found = []
    offsets = OffsetRange(topics.TRANSFORMED, 3, 0, 99)
    for file, content, count in files_of(offsets, [rows], len(records)):
        table = _read(content)
        assert len(table) == count
        keys = list(
            zip(*(table[n].to_pylist() for n in ("sensor_id", "timestamp_us")), strict=True)
        )
        assert keys == sorted(keys, key=lambda key: (key[0].encode(), key[1]))
        assert {time_us // HOUR_US for _, time_us in keys} == {file.hour}
        found += table.to_pylist()
    expected = rows.cast(SCHEMAS[topics.TRANSFORMED]).to_pylist()

    def order(row: dict[str, object]) -> str:
        return repr(sorted(row.items()))

    assert sorted(found, key=order) == sorted(expected, key=order)


def test_files_have_the_columns_of_the_schema_and_tell_their_whole_range() -> None:
    rows = rows_of(topics.AGGREGATED, [motion(4, start_us=5), velocity(6)])
    files = list(files_of(OffsetRange(topics.AGGREGATED, 2, 4, 9), [rows], 2))
    assert len(files) == 2
    for _, content, _ in files:
        file = pq.ParquetFile(io.BytesIO(content))
        assert file.schema_arrow.equals(SCHEMAS[topics.AGGREGATED])
        assert file.metadata.metadata == {
            b"imustream.topic": b"sensor-data-aggregated",
            b"imustream.partition": b"2",
            b"imustream.start": b"4",
            b"imustream.end": b"9",
            b"imustream.records": b"2",
            b"imustream.rows": b"2",
            b"imustream.files": b"2",
        }


def test_a_group_tells_which_sensors_and_times_it_has() -> None:
    rows = [(f"s{sensor}", START_US + at) for at in range(15_000) for sensor in range(3)]
    table = rows_of(topics.TRANSFORMED, [samples(1, rows)])
    ((_, content, _),) = files_of(OffsetRange(topics.TRANSFORMED, 0, 1, 2), [table], 1)
    metadata = pq.read_metadata(io.BytesIO(content))
    assert metadata.num_row_groups == 3
    for number in range(3):
        group = metadata.row_group(number)
        sensor, time = group.column(0).statistics, group.column(3).statistics
        assert (sensor.min, sensor.max) == (f"s{number}", f"s{number}")
        assert (time.min, time.max) == (START_US, START_US + 14_999)


@settings(deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=20), st.integers(1, 30))
def test_groups_cover_all_rows_and_keep_whole_what_fits(counts: list[int], most: int) -> None:
    rank = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    groups = row_groups(rank, most)
    assert [first for first, _ in groups] == [0, *(end for _, end in groups[:-1])]
    assert groups[-1][1] == len(rank)
    for first, end in groups:
        assert 0 < end - first <= most
    for sensor, count in enumerate(counts):
        at = np.flatnonzero(rank == sensor)
        holding = [g for g in groups if g[0] <= at[-1] and at[0] < g[1]]
        assert len(holding) == -(-count // most) or count > most
