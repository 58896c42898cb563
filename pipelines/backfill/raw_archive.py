"""Read imu-data-all back from the archive: which files there are, their times, their records."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines import topics
from pipelines.archive.files import METADATA_PREFIX
from pipelines.archive.layout import ArchivedHour, parse_path, path_of, topic_prefix
from pipelines.archive.object_store import ObjectStore
from pipelines.archive.schemas import RAW
from pipelines.backfill.plan import FileTimes, RawRange
from pipelines.backfill.raw_records import records_of
from pipelines.backfill.sensor_choice import SensorChoice
from pipelines.errors import DataError
from pipelines.records import InputBatch


def raw_files(store: ObjectStore) -> list[ArchivedHour]:
    """Return the raw files of an archive."""
    parsed = (parse_path(path) for path, _ in store.files(topic_prefix(topics.RAW)))
    return [file for file in parsed if file is not None]


def file_times(store: ObjectStore, file: ArchivedHour) -> FileTimes:
    """Return a file's times from the statistics in its footer; the rows are not read.

    Raises:
        DataError: it has no such statistics.
    """
    with store.open(path_of(file)) as source:
        metadata = pq.read_metadata(source)
    bounds: dict[str, list[int]] = {"timestamp_us": [], "received_us": []}
    for group in range(metadata.num_row_groups):
        for name, values in bounds.items():
            column = metadata.row_group(group).column(RAW.get_field_index(name))
            if not column.is_stats_set or not column.statistics.has_min_max:
                raise DataError(
                    f"{path_of(file)} has no statistics of {name}; it is not the archive's own"
                )
            values += [column.statistics.min, column.statistics.max]
    timestamps, received = bounds.values()
    return FileTimes(min(timestamps), max(timestamps), min(received), max(received))


def read_records(
    store: ObjectStore, ranges: Sequence[RawRange], start: int, sensors: SensorChoice
) -> Iterator[InputBatch]:
    """Yield the records from offset ``start`` on in their order, one range of offsets at a time.

    Raises:
        DataError: a file is missing, or is not what the archive writes.
        UnavailableError: the store does not answer.
    """
    for one in ranges:
        if one.end > start:
            pieces = [_read(store, one, file, sensors) for file in one.files]
            table = sensors.rows(pa.concat_tables(pieces))
            if one.start < start:
                table = table.filter(pc.greater_equal(table["offset"], start))
            if len(table):
                yield records_of(table)


def _read(store: ObjectStore, one: RawRange, file: ArchivedHour, sensors: SensorChoice) -> pa.Table:
    try:
        with store.open(path_of(file)) as source:
            parquet = pq.ParquetFile(source)
            said = (parquet.metadata.metadata or {}).get(f"{METADATA_PREFIX}files".encode(), b"")
            if said != b"%d" % len(one.files):
                raise DataError(
                    f"the archive holds {len(one.files)} files of {file.range}, of which its "
                    f"writer made {said.decode() or 'none'}; bring back what is missing"
                )
            table = pq.read_table(source, columns=RAW.names, filters=sensors.pushdown())
        return table.cast(RAW)
    except FileNotFoundError:
        raise DataError(f"the archive has lost {path_of(file)} since it was listed") from None
    except (pa.ArrowInvalid, pa.ArrowKeyError, ValueError) as error:
        raise DataError(f"{path_of(file)} is no raw file ({error})") from None
