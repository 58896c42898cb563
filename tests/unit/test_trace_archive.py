"""Rows are found in the archive by the hours they are of or, without a time, in all files."""

from pathlib import Path

import pytest

from cluster.trace.archive_search import ArchiveSearch
from cluster.trace.deadline import Deadline
from cluster.trace.wanted import sample_rows, session_rows
from pipelines import topics
from pipelines.archive.files import files_of
from pipelines.archive.folder_store import FolderStore
from pipelines.archive.layout import OffsetRange, path_of
from pipelines.archive.record import Record
from pipelines.archive.rows import rows_of
from pipelines.partitioner import partition_of
from pipelines.sinks.sink_offsets import Place
from tests.unit.archive_records import HOUR_US, START_US, samples

SENSOR, OTHER = "sensor1", "sensor2"
PARTITION = partition_of(SENSOR)
PERIOD_US = 5_000
A_RECORD = 10
RECORDS = 6


def _record(number: int, sensor: str) -> Record:
    """Ten samples, the records half an hour apart."""
    begin_us = START_US + number * HOUR_US // 2
    rows = [(sensor, begin_us + at * PERIOD_US) for at in range(A_RECORD)]
    return samples(100 + number, rows, number * A_RECORD)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    """Three files of two records each; another sensor's in the partition beside."""
    made = FolderStore(tmp_path)
    for first in range(0, RECORDS, 2):
        records = [_record(number, SENSOR) for number in (first, first + 1)]
        for partition, sensor in ((PARTITION, SENSOR), ((PARTITION + 1) % 10, OTHER)):
            offsets = OffsetRange(topics.TRANSFORMED, partition, 100 + first, 102 + first)
            of_sensor = [_record(number, sensor) for number in (first, first + 1)]
            rows = rows_of(topics.TRANSFORMED, records if sensor == SENSOR else of_sensor)
            for written in files_of(offsets, [rows], len(rows)):
                made.put(path_of(written.file), written.content)
    return made


@pytest.mark.parametrize("known", [True, False])
def test_a_sample_is_found_with_the_file_that_holds_it(store: FolderStore, known: bool) -> None:
    search = ArchiveSearch(store, Deadline(10))
    for number in range(0, RECORDS * A_RECORD, 7):
        # Of these made-up rows every other one is of boot 1.
        boot = number % A_RECORD % 2
        at_us = START_US + number // A_RECORD * HOUR_US // 2
        wanted = sample_rows(topics.TRANSFORMED, SENSOR, boot, number, 0)
        found = search.find(wanted, (at_us, at_us) if known else None)
        assert found is not None
        assert found.row["sample_index"] == number
        assert found.offset == 100 + number // A_RECORD
        assert found.written_us is None
        place = Place(topics.TRANSFORMED, PARTITION)
        assert search.file_of(place, found.offset, found.row["timestamp_us"]) == found.file


def test_what_is_not_there_is_not_found(store: FolderStore) -> None:
    search = ArchiveSearch(store, Deadline(10))
    for sensor, boot, number in ((SENSOR, 0, 60), (SENSOR, 1, 0), ("sensor3", 0, 0)):
        assert search.find(sample_rows(topics.TRANSFORMED, sensor, boot, number, 0), None) is None
    assert search.find(session_rows(SENSOR, START_US), None) is None


def test_when_the_time_is_up_nothing_more_is_looked_at(store: FolderStore) -> None:
    search = ArchiveSearch(store, Deadline(0))
    assert search.find(sample_rows(topics.TRANSFORMED, SENSOR, 0, 0, 0), None) is None
