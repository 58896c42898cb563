"""A simulated fleet's records as imu-data-all holds them, and as raw files of the archive."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import topics
from pipelines.archive.schemas import RAW
from pipelines.backfill.time_span import hour_folder
from pipelines.frame_table import tabulate
from pipelines.partitioner import partition_of
from pipelines.ticks import Tick, encode_tick
from simulator.backlog import payloads
from simulator.options import FleetOptions
from tests.unit.frame_building import Record

HOUR_US = 3_600_000_000
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


def raw_table(records: Sequence[Record], first_offset: int) -> pa.Table:
    """Return records as rows of the archive, in offset order."""
    times = [_time(record) for record in records]
    return pa.Table.from_arrays(
        [
            pa.array([None if key is None else key.decode() for key, _, _ in records], pa.string()),
            pa.array(times, pa.int64()),
            pa.array([received_us for _, _, received_us in records], pa.int64()),
            pa.array([value for _, value, _ in records], pa.binary()),
            pa.array(np.arange(first_offset, first_offset + len(records)), pa.int64()),
        ],
        schema=RAW,
    )


def write_raw(
    folder: Path, partition: int, records: Sequence[Record], range_rows: int, first: int = 0
) -> None:
    """Write a partition's records as files of ``range_rows`` offsets, one for each hour."""
    for at in range(0, len(records), range_rows):
        part = records[at : at + range_rows]
        table = raw_table(part, first + at).sort_by(
            [("sensor_id", "ascending"), ("timestamp_us", "ascending")]
        )
        hours = table["timestamp_us"].to_numpy() // HOUR_US
        for hour in sorted(set(hours.tolist())):
            below = folder / topics.RAW / hour_folder(hour * HOUR_US)
            below.mkdir(parents=True, exist_ok=True)
            name = f"{topics.RAW}+{partition}+{first + at}-{first + at + len(part)}.parquet"
            pq.write_table(table.filter(pa.array(hours == hour)), below / name, compression="zstd")


def _time(record: Record) -> int:
    key, value, received_us = record
    if key is not None:
        table = tabulate([value])
        if len(table.timestamp_us):
            return int(table.timestamp_us[0])
    return received_us
