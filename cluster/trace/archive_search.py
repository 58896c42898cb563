"""Seek rows in the archive's files: by the hours they belong to, and each file's least and most."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cluster.trace.deadline import Deadline
from cluster.trace.wanted import SENSOR, Sighting, Wanted
from pipelines.archive.layout import HOUR_US, hour_prefix, parse_path, topic_prefix
from pipelines.archive.object_store import ObjectStore
from pipelines.errors import UnavailableError
from pipelines.sinks.sink_offsets import Place

_OFFSET = "offset"


class ArchiveSearch:
    """Looks into files; whatever takes longer than the deadline ends without a find."""

    def __init__(self, store: ObjectStore, deadline: Deadline) -> None:
        self._store = store
        self._deadline = deadline

    def find(self, wanted: Wanted, span_us: tuple[int, int] | None) -> Sighting | None:
        """Return the row that is wanted, of several that with the smallest offset.

        Args:
            wanted: which row.
            span_us: event times between which it lies; None where they are not known: then all
                files of its partition are looked into, the newest first.

        Raises:
            UnavailableError: the store does not answer, or a file cannot be read.
        """
        best: Sighting | None = None
        for path in self._paths(wanted.place, span_us):
            for row in self._rows(path, wanted):
                if best is None or row[_OFFSET] < best.offset:
                    best = Sighting(row, row[_OFFSET], None, path)
            if best is not None and span_us is None:
                return best
        return best

    def file_of(self, place: Place, offset: int, event_us: int) -> str | None:
        """Return the file that holds a record's rows of an event time; None where there is none."""
        for path in self._paths(place, (event_us, event_us)):
            file = parse_path(path)
            if file is not None and file.range.start <= offset < file.range.end:
                return path
        return None

    def row_at(self, path: str, offset: int) -> Mapping[str, Any] | None:
        """Return the first row of a file that came of the record at an offset."""
        with closing(self._open(path)) as opened:
            table = pq.read_table(opened, filters=[(_OFFSET, "==", offset)])
        found = table.slice(0, 1).to_pylist()
        return found[0] if found else None

    def _paths(self, place: Place, span_us: tuple[int, int] | None) -> Iterator[str]:
        if span_us is None:
            everything = [path for path, _ in self._store.files(topic_prefix(place.topic))]
            listed: Iterator[str] = reversed(everything)
        else:
            listed = (
                path
                for hour in range(span_us[0] // HOUR_US, span_us[1] // HOUR_US + 1)
                for path, _ in self._store.files(hour_prefix(place.topic, hour))
            )
        for path in listed:
            if self._deadline.passed:
                return
            file = parse_path(path)
            if file is not None and file.range.partition == place.partition:
                yield path

    def _rows(self, path: str, wanted: Wanted) -> Iterator[Mapping[str, Any]]:
        with closing(self._open(path)) as opened:
            try:
                file = pq.ParquetFile(opened)
                for number in range(file.metadata.num_row_groups):
                    if _may_hold(file, number, wanted):
                        table = file.read_row_group(number, use_threads=False)
                        yield from table.filter(wanted.condition).slice(0, 1).to_pylist()
            except (pa.ArrowInvalid, OSError) as error:
                raise UnavailableError(
                    f"{path} of the archive cannot be read: {error}; see `imustream archive verify`"
                ) from None

    def _open(self, path: str) -> Any:
        try:
            return self._store.open(path)
        except FileNotFoundError:
            raise UnavailableError(
                f"{path} of the archive was there and is gone: try again"
            ) from None


def _may_hold(file: pq.ParquetFile, number: int, wanted: Wanted) -> bool:
    """Whether a row group may hold what is wanted, as its statistics say."""
    group = file.metadata.row_group(number)
    names = file.schema_arrow.names
    asked: dict[str, tuple[Any, Any]] = {SENSOR: (wanted.sensor_id, wanted.sensor_id)}
    for name, (least, most) in (asked | dict(wanted.bounds)).items():
        statistics = group.column(names.index(name)).statistics
        known = statistics is not None and statistics.has_min_max
        if known and (statistics.min > most or statistics.max < least):
            return False
    return True
