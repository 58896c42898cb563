"""The true motion behind the samples a fleet measured, as a Parquet file."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from simulator.library import MAX_VARIANTS, variant
from simulator.motion import ACTIVITIES, Trajectory
from simulator.options import FleetOptions
from simulator.readings import quaternions
from simulator.schedule import Schedule

Ints = npt.NDArray[np.int64]

_VECTORS = ("position", "velocity", "acceleration")
SCHEMA = pa.schema(
    [
        pa.field("sensor_id", pa.string(), nullable=False),
        pa.field("boot", pa.int32(), nullable=False),
        pa.field("sample_index", pa.int64(), nullable=False),
        pa.field("timestamp_us", pa.int64(), nullable=False),
        *(
            pa.field(f"{v}_{axis}", pa.float32(), nullable=False)
            for v in _VECTORS
            for axis in "xyz"
        ),
        *(pa.field(f"orientation_{axis}", pa.float32(), nullable=False) for axis in "wxyz"),
        pa.field("activity", pa.dictionary(pa.int8(), pa.string()), nullable=False),
    ]
)
"""World axes east, north, up; metres, m/s, m/s2 without gravity; the orientation is a unit
quaternion body to world; ``timestamp_us`` is on the device's clock. Every sample measured is
there, also those of frames that were lost. ``boot`` counts every restart of the numbering."""


def write_ground_truth(path: Path, options: FleetOptions, schedule: Schedule) -> None:
    """Write what every sensor of the schedule truly did so far, a row group a sensor."""
    variants = min(options.sensors, MAX_VARIANTS)
    firsts = _boot_frames(schedule, options.sensors)
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        # Sensors of one body follow each other, so that its motion is computed once.
        for sensor in sorted(range(options.sensors), key=lambda s: (s % variants, s)):
            motion = variant(options.motion, options.rate_hz, options.seed, sensor % variants)
            if schedule.frames[sensor]:
                writer.write_table(_rows(options, schedule, sensor, firsts[sensor], motion))


def _boot_frames(schedule: Schedule, sensors: int) -> list[list[int]]:
    """Return for each sensor the frames its boots begin with."""
    firsts: list[list[int]] = [[] for _ in range(sensors)]
    for boot in schedule.boots:
        firsts[boot.sensor].append(boot.first_frame)
    return firsts


def _rows(
    options: FleetOptions,
    schedule: Schedule,
    sensor: int,
    first_frames: list[int],
    motion: Trajectory,
) -> pa.Table:
    per_frame, length = options.samples_per_frame, len(motion.activity)
    sample = np.arange(int(schedule.frames[sensor]) * per_frame)
    frame, within = sample // per_frame, sample % per_frame
    frames = np.arange(int(schedule.frames[sensor]))
    starts_us = schedule.timestamps_us(np.full(len(frames), sensor), frames)
    within_us = np.rint(within * 1e6 / options.rate_hz).astype(np.int64)
    boot = np.searchsorted(np.array(first_frames), frame, side="right") - 1
    index = sample - np.array(first_frames)[boot] * per_frame
    loops, at = np.divmod(schedule.phases[sensor] + sample, length)
    position = motion.position_m[at] + loops[:, None] * motion.displacement_m
    vectors = (position, motion.velocity_m_s[at], motion.acceleration_m_s2[at])
    activity = pa.DictionaryArray.from_arrays(motion.activity[at], list(ACTIVITIES))
    return pa.table(
        [
            pa.array([options.sensor_ids()[sensor]] * len(sample)),
            boot.astype(np.int32),
            index,
            starts_us[frame] + within_us,
            *(vector[:, axis].astype(np.float32) for vector in vectors for axis in range(3)),
            *quaternions(motion.angles_rad)[at].astype(np.float32).T,
            activity,
        ],
        schema=SCHEMA,
    )
