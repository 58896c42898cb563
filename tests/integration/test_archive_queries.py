"""The queries that the README shows, over an archive as the archiver writes it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import fsspec
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.local import LocalFileOpener, LocalFileSystem

from pipelines import topics
from pipelines.archive.files import files_of
from pipelines.archive.folder_store import FolderStore
from pipelines.archive.layout import OffsetRange, path_of
from pipelines.archive.record import Record
from pipelines.archive.rows import rows_of
from pipelines.operators.sensor_processing import SensorProcessing
from pipelines.partitioner import partition_of
from pipelines.records import InputBatch
from pipelines.settings import ProcessingSettings
from simulator.backlog import Payload, payloads
from simulator.options import FleetOptions
from tests.conftest import running_stack

SENSORS = 100
SECONDS = 240
SENSOR = "sensor42"
START_US = 1_767_225_600_000_000 + 20 * 60_000_000
"""2026-01-01T00:20Z."""
FIRST_US = START_US + 90_000_000
LAST_US = FIRST_US + 60_000_000
MINUTE = 60 * 200
RANGE_RECORDS = 600
BATCH = 10


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four minutes of 100 sensors as the archive holds sensor-data-transformed."""
    folder = tmp_path_factory.mktemp("archive")
    store = FolderStore(folder)
    fleet = FleetOptions(
        sensors=SENSORS, seconds=SECONDS, start_us=START_US, as_fast_as_possible=True
    )
    of_partition: dict[int, list[Payload]] = {}
    for payload in payloads(fleet):
        of_partition.setdefault(partition_of(payload.sensor_id), []).append(payload)
    for partition, mine in of_partition.items():
        records = list(_transformed(mine))
        for first in range(0, len(records), RANGE_RECORDS):
            part = records[first : first + RANGE_RECORDS]
            offsets = OffsetRange(topics.TRANSFORMED, partition, first, first + len(part))
            pieces = [rows_of(topics.TRANSFORMED, part)]
            for file, content, _ in files_of(offsets, pieces, len(part)):
                store.put(path_of(file), content)
    return folder


def _transformed(mine: list[Payload]) -> Iterator[Record]:
    """The records of sensor-data-transformed that these payloads make."""
    operator = SensorProcessing(ProcessingSettings())
    state = operator.new_state(0)
    offset = 0
    for first in range(0, len(mine), BATCH):
        part = mine[first : first + BATCH]
        batch = InputBatch(
            [p.sensor_id.encode() for p in part],
            [p.payload for p in part],
            np.arange(first, first + len(part)),
            np.array([p.time_us for p in part], np.int64),
        )
        for output in operator.step(state, batch):
            if output.topic == topics.TRANSFORMED:
                yield Record(offset, None, bytes(output.value), {}, 0)
                offset += 1


class _CountedFile(LocalFileOpener):
    """Counts the bytes that are read."""

    def read(self, *arguments: Any) -> Any:
        content = super().read(*arguments)
        _Counted.bytes_read += len(content)
        return content


class _Counted(LocalFileSystem):  # type: ignore[misc]
    """The local file system as one that DuckDB asks for every byte."""

    protocol = "counted"
    bytes_read = 0

    def _open(self, path: str, mode: str = "rb", **_: Any) -> _CountedFile:
        return _CountedFile(path, mode, fs=self)


DUCKDB = """
    SELECT timestamp_us, accl_mag
    FROM read_parquet('{archive}/sensor-data-transformed/*/*/*.parquet', hive_partitioning = true)
    WHERE dt = '2026-01-01' AND hour = '00' AND sensor_id = 'sensor42'
      AND timestamp_us >= {first_us} AND timestamp_us < {last_us}
    ORDER BY timestamp_us
"""


def test_duckdb_reads_a_small_share_of_the_bytes_for_one_sensor_and_one_minute(
    archive: Path,
) -> None:
    fsspec.register_implementation("counted", _Counted, clobber=True)
    _Counted.bytes_read = 0
    with duckdb.connect() as connection:
        connection.register_filesystem(_Counted())
        query = DUCKDB.format(archive=f"counted://{archive}", first_us=FIRST_US, last_us=LAST_US)
        rows = connection.execute(query).fetchall()
    files = list(archive.rglob("*.parquet"))
    total = sum(file.stat().st_size for file in files)
    share = _Counted.bytes_read / total
    print(
        json.dumps(
            {
                "files": len(files),
                "bytes": total,
                "bytes_read": _Counted.bytes_read,
                "share": round(share, 4),
                "rows": len(rows),
                "share_of_rows": round(MINUTE / (SENSORS * SECONDS * 200), 4),
            }
        )
    )
    assert len(rows) == MINUTE
    assert share < 0.05


def test_one_sensor_and_one_minute_lie_in_few_row_groups(archive: Path) -> None:
    groups = matching = 0
    for file in archive.rglob("*.parquet"):
        metadata = pq.read_metadata(file)
        for number in range(metadata.num_row_groups):
            sensor = metadata.row_group(number).column(0).statistics
            time_us = metadata.row_group(number).column(3).statistics
            groups += 1
            matching += (
                sensor.min <= SENSOR <= sensor.max
                and time_us.min < LAST_US
                and time_us.max >= FIRST_US
            )
    assert matching / groups < 0.15


def test_pandas_reads_one_sensor_and_one_minute(archive: Path) -> None:
    samples = pd.read_parquet(
        f"{archive}/sensor-data-transformed",
        columns=["timestamp_us", "accl_mag"],
        filters=[
            ("sensor_id", "==", SENSOR),
            ("timestamp_us", ">=", FIRST_US),
            ("timestamp_us", "<", LAST_US),
        ],
    )
    assert len(samples) == MINUTE
    assert samples["timestamp_us"].between(FIRST_US, LAST_US, inclusive="left").all()


@pytest.mark.slow
def test_ray_data_counts_the_samples_of_each_sensor(archive: Path) -> None:
    import ray  # noqa: PLC0415

    with running_stack(("ray",)) as stack:
        ray.init(address=stack.settings.ray.address, namespace="test", log_to_driver=False)
        try:
            samples = ray.data.read_parquet(f"{archive}/sensor-data-transformed")
            samples = samples.select_columns(["sensor_id", "accl_mag"])
            found = samples.groupby("sensor_id").count().take_all()
        finally:
            ray.shutdown()
    assert {row["sensor_id"]: row["count()"] for row in found} == {
        f"sensor{number}": SECONDS * 200 for number in range(1, SENSORS + 1)
    }
