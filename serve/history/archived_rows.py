"""Rows of one sensor from the Parquet archive: the files of its hours, the row groups of its id."""

from collections.abc import Iterator
from contextlib import closing

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.archive.layout import hour_prefix, parse_path
from pipelines.archive.object_store import ObjectStore
from pipelines.archive.schemas import TIME_COLUMN
from pipelines.errors import UnavailableError
from serve.history.span import Budget, Span, hours_of_span

_SENSOR = "sensor_id"
_OFFSET = "offset"


def archived_rows(store: ObjectStore, span: Span, below: int, budget: Budget) -> Iterator[pa.Table]:
    """Yield the rows of a span whose offset is less than ``below``, a row group at a time.

    What the archive writes meanwhile lies at ``below`` or above: it is read from Kafka.

    Raises:
        UnavailableError: the store does not answer, or the time is up.
        DataError: too many rows must be looked at.
    """
    for hour in hours_of_span(span.from_us, span.to_us):
        budget.spend(0)
        for path, _ in store.files(hour_prefix(span.topic, hour)):
            file = parse_path(path)
            if file is None or file.range.partition != span.place.partition:
                continue
            if file.range.start < below:
                yield from _file_rows(store, path, span, below, budget)


def _file_rows(
    store: ObjectStore, path: str, span: Span, below: int, budget: Budget
) -> Iterator[pa.Table]:
    try:
        with closing(store.open(path)) as opened:
            yield from _rows_of(pq.ParquetFile(opened), span, below, budget)
    except FileNotFoundError:
        raise UnavailableError(f"{path} of the archive was there and is gone: try again") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise UnavailableError(
            f"{path} of the archive cannot be read: {error}; see `imustream archive`"
        ) from None


def _rows_of(file: pq.ParquetFile, span: Span, below: int, budget: Budget) -> Iterator[pa.Table]:
    time_column = TIME_COLUMN[span.topic]
    wanted = [*dict.fromkeys([*span.columns, _SENSOR, time_column, _OFFSET])]
    names = file.schema_arrow.names
    sensor_at, time_at = names.index(_SENSOR), names.index(time_column)
    for number in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(number)
        if not _may_hold(group.column(sensor_at).statistics, span.sensor_id, span.sensor_id):
            continue
        if not _may_hold(group.column(time_at).statistics, span.from_us, span.to_us - 1):
            continue
        budget.spend(group.num_rows)
        table = file.read_row_group(number, columns=wanted, use_threads=False)
        found = table.filter(
            pc.and_(
                pc.and_(pc.equal(table[_SENSOR], span.sensor_id), pc.less(table[_OFFSET], below)),
                in_span(table[time_column], span),
            )
        )
        if len(found):
            yield found.select(span.columns)


def in_span(times_us: pa.ChunkedArray, span: Span) -> pa.ChunkedArray:
    """Return of each time whether it is in a span."""
    return pc.and_(pc.greater_equal(times_us, span.from_us), pc.less(times_us, span.to_us))


def _may_hold(statistics: pq.Statistics | None, least: object, largest: object) -> bool:
    """Whether a group may hold values from ``least`` to ``largest``; without statistics, it may."""
    if statistics is None or not statistics.has_min_max:
        return True
    return bool(statistics.min <= largest and statistics.max >= least)
