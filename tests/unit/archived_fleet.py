"""A simulated fleet's records as imu-data-all holds them, and as raw files of the archive."""

from collections.abc import Sequence

import pyarrow as pa

from pipelines import topics
from pipelines.archive.files import files_of
from pipelines.archive.layout import HOUR_US, OffsetRange, path_of
from pipelines.archive.object_store import ObjectStore
from pipelines.archive.raw_rows import raw_rows
from pipelines.archive.record import Record as ArchivedRecord
from pipelines.batching import RECEIVED_HEADER
from pipelines.partitioner import partition_of
from pipelines.ticks import Tick, encode_tick
from simulator.backlog import payloads
from simulator.options import FleetOptions
from tests.unit.frame_building import Record

START_US = 490_000 * HOUR_US - 40_000_000
"""The fleet's data lie in two hours: it starts 40 s before a full one."""
TRANSIT_US = 7_000

FAULTY = FleetOptions(
    sensors=20,
    seconds=100,
    seed=5,
    duplicates=0.03,
    lost=0.03,
    bad_crc=0.02,
    cut=0.02,
    reorder=0.03,
    heartbeats=0.05,
    reboot=0.3,
    silence=0.4,
    future_clock=0.1,
    clock_offset_s=3.0,
    clock_drift_ppm=100,
    start_us=START_US,
    as_fast_as_possible=True,
)
"""Every fault there is."""


def fleet_records(options: FleetOptions) -> dict[int, list[Record]]:
    """Return each partition's records in the order received, with a tick each second."""
    records: dict[int, list[Record]] = {p: [] for p in range(topics.PARTITIONS)}
    assert options.start_us is not None
    next_tick_us = options.start_us
    for payload in payloads(options):
        while payload.time_us >= next_tick_us:
            value = encode_tick(Tick(next_tick_us // 1_000_000, next_tick_us))
            for of_partition in records.values():
                of_partition.append((None, value, next_tick_us + TRANSIT_US))
            next_tick_us += 1_000_000
        records[partition_of(payload.sensor_id)].append(
            (payload.sensor_id.encode(), payload.payload, payload.time_us + TRANSIT_US)
        )
    return records


def archived(records: Sequence[Record], first_offset: int) -> list[ArchivedRecord]:
    """Return records as the archive takes them in."""
    return [
        ArchivedRecord(offset, key, value, {RECEIVED_HEADER: b"%d" % received_us}, received_us)
        for offset, (key, value, received_us) in enumerate(records, first_offset)
    ]


def raw_table(records: Sequence[Record], first_offset: int) -> pa.Table:
    """Return records as rows of the archive, in offset order."""
    return raw_rows(archived(records, first_offset))


def write_raw(
    store: ObjectStore, partition: int, records: Sequence[Record], range_rows: int
) -> None:
    """Write a partition's records from offset 0 on, in ranges of ``range_rows`` offsets."""
    for start in range(0, len(records), range_rows):
        part = records[start : start + range_rows]
        offsets = OffsetRange(topics.RAW, partition, start, start + len(part))
        for written in files_of(offsets, [raw_table(part, start)], len(part)):
            store.put(path_of(written.file), written.content)
