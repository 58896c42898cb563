"""Read imu-data-all back from the archive: which files there are, their times, their records."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines import topics
from pipelines.archive.schemas import RAW
from pipelines.backfill.folder import Folder
from pipelines.backfill.plan import FileTimes, OffsetRange, RawFile
from pipelines.backfill.raw_records import records_of
from pipelines.backfill.sensor_choice import SensorChoice
from pipelines.errors import DataError, UnavailableError
from pipelines.records import InputBatch

_PATH: Final = re.compile(
    rf"{re.escape(topics.RAW)}/dt=(-?\d+-\d\d-\d\d)/hour=(\d\d)/"
    rf"{re.escape(topics.RAW)}\+(\d+)\+(\d+)-(\d+)\.parquet"
)


def raw_files(archive: Folder) -> list[RawFile]:
    """Return the raw files of an archive."""
    found = []
    for path in archive.files(topics.RAW):
        match = _PATH.fullmatch(path)
        if match is not None:
            day, hour, partition, start, end = match.groups()
            moment = datetime.fromisoformat(f"{day}T{hour}:00:00").replace(tzinfo=UTC)
            hour_us = round(moment.timestamp()) * 1_000_000
            found.append(RawFile(path, int(partition), int(start), int(end), hour_us))
    return found


def file_times(archive: Folder, file: RawFile) -> FileTimes:
    """Return a file's times from the statistics in its footer; the rows are not read.

    Raises:
        DataError: it has no such statistics.
    """
    metadata = pq.read_metadata(archive.path(file.path), filesystem=archive.filesystem)
    bounds: dict[str, list[int]] = {"timestamp_us": [], "received_us": []}
    for group in range(metadata.num_row_groups):
        for name, values in bounds.items():
            column = metadata.row_group(group).column(RAW.get_field_index(name))
            if not column.is_stats_set or not column.statistics.has_min_max:
                raise DataError(
                    f"{archive.url}/{file.path} has no statistics of {name}; it is not a file of "
                    f"this archive's writer"
                )
            values += [column.statistics.min, column.statistics.max]
    timestamps, received = bounds.values()
    return FileTimes(min(timestamps), max(timestamps), min(received), max(received))


def read_records(
    archive: Folder, ranges: Sequence[OffsetRange], start: int, sensors: SensorChoice
) -> Iterator[InputBatch]:
    """Yield the records from offset ``start`` on in their order, one range of offsets at a time.

    Raises:
        DataError: a file is not what the archive writes.
        UnavailableError: one cannot be read.
    """
    for one in ranges:
        if one.end > start:
            table = sensors.rows(
                pa.concat_tables(_read(archive, file, sensors) for file in one.files)
            )
            if one.start < start:
                table = table.filter(pc.greater_equal(table["offset"], start))
            if len(table):
                yield records_of(table)


def _read(archive: Folder, file: RawFile, sensors: SensorChoice) -> pa.Table:
    path = archive.path(file.path)
    try:
        with archive.filesystem.open_input_file(path) as source:
            table = pq.read_table(source, columns=RAW.names, filters=sensors.pushdown())
        return table.cast(RAW)
    except (pa.ArrowInvalid, pa.ArrowKeyError, ValueError) as error:
        raise DataError(f"{archive.url}/{file.path} is no raw file ({error})") from None
    except OSError as error:
        raise UnavailableError(
            f"{archive.url}/{file.path} cannot be read ({error}); run again with --resume"
        ) from None
