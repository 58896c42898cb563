"""Prove the archive: its ranges abut, and its Parquet files hold what the topics hold."""

from collections.abc import Iterator

import pyarrow as pa
from confluent_kafka import Message

from pipelines.archive.object_store import ObjectStore, open_store
from pipelines.archive.schemas import SCHEMAS, TIME_COLUMN
from pipelines.errors import DataError
from pipelines.settings import Settings
from pipelines.sinks.sink_offsets import Mark, Place, read_group_marks
from pipelines.topics import ARCHIVE, PARTITIONS, SINKS
from pipelines.verify.archived_files import UNREADABLE, paths_of, read_facts, read_rows
from pipelines.verify.archived_ranges import ArchivedRange, FileFacts, lay_out
from pipelines.verify.archived_records import TopicRecord, expected_rows, hours_outside
from pipelines.verify.archived_rows import compare_rows
from pipelines.verify.progress import Progress
from pipelines.verify.result import Difference
from pipelines.verify.stage_result import StageRow
from pipelines.verify.streams import PartitionReader, record_headers

_COUNTED = ("files", "records", "rows")


def verify_parquet(settings: Settings, progress: Progress) -> list[StageRow]:
    """Prove the archive as far as its marks say it came, one row for each topic and partition.

    Holds the rows of one range in memory at a time.

    Raises:
        UnavailableError: Kafka or the archive's store does not answer.
        ConfigurationError: the store refuses us.
        DataError: a mark, or a record of a topic, cannot be read.
    """
    return [row for topic in SINKS[ARCHIVE] for row in verify_topic(settings, topic, progress)]


def verify_topic(settings: Settings, topic: str, progress: Progress) -> list[StageRow]:
    """Prove the archive of one topic; arguments and errors as of :func:`verify_parquet`."""
    store = open_store(settings)
    store.check()
    places = [Place(topic, partition) for partition in range(PARTITIONS)]
    # The marks first: every file of what they say is written is there when the files are listed.
    marks = read_group_marks(settings.kafka, ARCHIVE, places)
    paths = paths_of(store, topic)
    rows = []
    for place in places:
        check = _PartitionOfTopic(settings, store, place, progress)
        rows.append(check.run(paths.get(place.partition, []), marks.get(place)))
    return rows


class _PartitionOfTopic:
    """The check of one partition of a topic."""

    def __init__(
        self, settings: Settings, store: ObjectStore, place: Place, progress: Progress
    ) -> None:
        self._settings = settings
        self._store = store
        self._topic, self._partition = place
        self._progress = progress
        self.row = StageRow(f"archive of {place.topic}", place.partition)

    def run(self, paths: list[str], mark: Mark | None) -> StageRow:
        reader = PartitionReader(self._settings.kafka, self._topic, self._partition)
        try:
            written_to = 0
            if mark is not None:
                written_to = mark.next_offset if mark.range_start is None else mark.range_start
                self.row.lag = max(0, reader.end - max(mark.next_offset, reader.begin))
            ranges = lay_out(self.row, self._facts(paths), written_to)
            if mark is not None:
                self._compare_counts(ranges, mark)
            self._compare_contents(ranges, reader)
        finally:
            reader.close()
        return self.row

    def _facts(self, paths: list[str]) -> Iterator[FileFacts]:
        for path in paths:
            try:
                yield read_facts(self._store, path)
            except UNREADABLE as error:
                self._wrong(f"{path} cannot be read: {error!r}")

    def _compare_counts(self, ranges: list[ArchivedRange], mark: Mark) -> None:
        """Compare with what the archive counted: so the first ranges are missed too."""
        written = [found for found in ranges if found.files]
        counted = {
            "files": sum(len(found.files) for found in written),
            "records": sum(found.files[0].range_records for found in written),
            "rows": sum(found.rows for found in written),
        }
        self.row.checked = dict(counted)
        for name in _COUNTED:
            told = mark.counts.get(name, 0)
            if told != counted[name]:
                self._wrong(f"the archive wrote {told} {name} and {counted[name]} are there")

    def _compare_contents(self, ranges: list[ArchivedRange], reader: PartitionReader) -> None:
        """Compare each range that Kafka still has with the records there."""
        kept = [found for found in ranges if found.start >= reader.begin]
        for found in ranges:
            if found.start < reader.begin and not found.files:
                what = f"no file covers offsets {found.start} to {found.end}"
                self.row.add(Difference("lost", what, self._partition, found.start))
        if len(kept) < len(ranges):
            self.row.notes.append(
                f"{self._topic}/{self._partition}: records below offset {reader.begin} are deleted "
                f"by retention; {len(ranges) - len(kept)} ranges are not compared with them"
            )
        if not kept:
            return
        begin, total = kept[0].start, kept[-1].end - kept[0].start
        records = _Cursor(reader, begin)
        compared = 0
        for found in kept:
            expected = expected_rows(self._topic, records.until(found.end))
            compared += self._compare_range(found, expected)
            self._progress(self._partition, found.end - begin, total)
        self.row.checked["compared"] = compared

    def _compare_range(self, found: ArchivedRange, expected: pa.Table) -> int:
        try:
            tables = read_rows(self._store, self._topic, found.files)
        except UNREADABLE as error:
            self._wrong(f"a file of offsets {found.start} to {found.end}: {error!r}", found.start)
            return 0
        for file, table in zip(found.files, tables, strict=True):
            outside = hours_outside(table.column(TIME_COLUMN[self._topic]), file.file.hour)
            if outside:
                self._wrong(f"{outside} rows of {file.path} belong to another hour", found.start)
        written = pa.concat_tables([SCHEMAS[self._topic].empty_table(), *tables])
        compare_rows(self.row, self._topic, expected, written)
        return len(expected)

    def _wrong(self, what: str, offset: int | None = None) -> None:
        self.row.add(Difference("wrong", what, self._partition, offset))


class _Cursor:
    """The records of a partition, taken range by range."""

    def __init__(self, reader: PartitionReader, begin: int) -> None:
        self._batches = reader.batches(begin)
        self._waiting: list[TopicRecord] = []

    def until(self, end: int) -> list[TopicRecord]:
        """Return the records from where the last call ended up to, not with, ``end``."""
        taken = self._waiting
        while not taken or taken[-1].offset < end:
            batch = next(self._batches, None)
            if batch is None:
                break
            taken.extend(map(_record, batch))
        cut = next((i for i, record in enumerate(taken) if record.offset >= end), len(taken))
        self._waiting = taken[cut:]
        return taken[:cut]


def _record(message: Message) -> TopicRecord:
    key, value = message.key(), message.value()
    if isinstance(key, str) or isinstance(value, str):
        raise DataError("the Kafka client gave text for bytes")
    return TopicRecord(
        message.offset() or 0,
        key,
        value or b"",
        record_headers(message),
        message.timestamp()[1] * 1000,
    )
