"""The rows of one range -> its Parquet files. Pure: the same range gives the same bytes.

A file holds the rows of one hour. Its key-value metadata says which range it belongs to, and what
the whole of it is, so that a missing file is noticed:

- ``imustream.topic``, ``.partition``, ``.start``, ``.end``: the range
- ``imustream.records``: records of the range that made rows
- ``imustream.rows``, ``imustream.files``: rows and files of the range
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.archive.layout import ArchivedHour, OffsetRange, hours_of
from pipelines.archive.row_groups import row_groups
from pipelines.archive.schemas import SCHEMAS, TIME_COLUMN
from pipelines.archive.sorting import SENSOR, SortedRows, sort_rows

METADATA_PREFIX: Final = "imustream."

_BLOOM_FILTER: Final = {"ndv": 64, "fpp": 0.01}
"""Says which group holds a sensor where least and largest id do not. Room for 64 ids in a group: by
default pyarrow clears room for a million, which cost more than all else."""


class WrittenFile(NamedTuple):
    """A file to be put: where, its bytes, its rows."""

    file: ArchivedHour
    content: bytes
    rows: int


def files_of(
    offsets: OffsetRange, pieces: Sequence[pa.Table], records: int
) -> Iterator[WrittenFile]:
    """Yield the files of a range, hour by hour.

    Args:
        offsets: the range.
        pieces: its rows as :func:`pipelines.archive.rows.rows_of` gives them, in the topic's
            order, at least one row; how they are cut makes no difference.
        records: how many records made them.
    """
    rows = sort_rows(list(pieces), TIME_COLUMN[offsets.topic])
    hours = hours_of(rows.times_us)
    present = np.unique(hours).tolist()
    whole = {
        **{name: str(value) for name, value in offsets._asdict().items()},
        "records": str(records),
        "rows": str(len(rows.table)),
        "files": str(len(present)),
    }
    metadata = {f"{METADATA_PREFIX}{name}": value for name, value in whole.items()}
    # One pass however many hours there are: a broken clock can put each row into its own.
    by_hour = np.argsort(hours, kind="stable")
    ends = np.flatnonzero(np.diff(hours[by_hour], append=present[-1] + 1)) + 1
    begin = 0
    for hour, end in zip(present, ends.tolist(), strict=True):
        part = rows if len(present) == 1 else _take(rows, by_hour[begin:end])
        begin = end
        content = _parquet(part, offsets.topic, metadata)
        yield WrittenFile(ArchivedHour(offsets, hour), content, len(part.table))


def _take(rows: SortedRows, which: "np.typing.NDArray[np.int64]") -> SortedRows:
    return SortedRows(rows.table.take(pa.array(which)), rows.rank[which], rows.times_us[which])


def _parquet(rows: SortedRows, topic: str, metadata: dict[str, str]) -> bytes:
    sink = pa.BufferOutputStream()
    schema = rows.table.schema
    with pq.ParquetWriter(sink, schema, **writer_options(schema, topic)) as writer:
        for first, end in row_groups(rows.rank):
            writer.write_table(_group(rows, first, end), row_group_size=end - first)
        writer.add_key_value_metadata(metadata)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def writer_options(schema: pa.Schema, topic: str) -> dict[str, Any]:
    """Return how columns are stored, which follows from their types.

    Whole numbers that mostly rise are kept as differences, texts and small numbers as dictionaries;
    payloads have no statistics, which would repeat them in the file's footer.
    """
    names = SCHEMAS[topic].names
    types = {name: schema.field(name).type for name in names}
    rising = [name for name, kind in types.items() if pa.types.is_int64(kind)]
    plain = [name for name, kind in types.items() if pa.types.is_floating(kind)]
    payloads = [name for name, kind in types.items() if pa.types.is_binary(kind)]
    listed = set(rising) | set(plain) | set(payloads)
    time_at, sensor_at = names.index(TIME_COLUMN[topic]), names.index(SENSOR)
    return {
        "compression": "zstd",
        "use_dictionary": [name for name in names if name not in listed],
        "column_encoding": dict.fromkeys(rising, "DELTA_BINARY_PACKED"),
        "write_statistics": [name for name in names if name not in payloads],
        "write_page_index": True,
        "bloom_filter_options": {SENSOR: _BLOOM_FILTER},
        "sorting_columns": [pq.SortingColumn(sensor_at), pq.SortingColumn(time_at)],
        # Readers then see the columns of `SCHEMAS`, and no dictionaries.
        "store_schema": False,
    }


def _group(rows: SortedRows, first: int, end: int) -> pa.Table:
    """Return the rows of a group with no more of the ids than it has rows of."""
    group = rows.table.slice(first, end - first)
    at = group.column_names.index(SENSOR)
    column = group.column(at).combine_chunks()
    least = int(rows.rank[first])
    ids = column.dictionary.slice(least, int(rows.rank[end - 1]) - least + 1)
    indices = pa.compute.subtract(column.indices, pa.scalar(least, column.indices.type))
    compact = pa.DictionaryArray.from_arrays(indices, ids)
    return group.set_column(at, group.schema.field(at), compact)
