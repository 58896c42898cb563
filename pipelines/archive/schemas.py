"""The columns of the archive's Parquet files, one schema for each topic."""

from typing import Final

import pyarrow as pa

from pipelines import predictions, topics, transformed

_WHERE: Final = [pa.field("offset", pa.int64(), nullable=False)]
"""Offset of the record in its topic and partition, which the file's name and metadata give."""


def _plain_ids(schema: pa.Schema) -> pa.Schema:
    """Sensor ids as strings: Parquet has a dictionary encoding of its own."""
    return schema.set(0, pa.field("sensor_id", pa.string(), nullable=False))


RAW: Final = pa.schema(
    [
        # Null for a tick, whose value is its JSON.
        pa.field("sensor_id", pa.string()),
        # The first good frame's; where there is none, and for ticks, received_us.
        pa.field("timestamp_us", pa.int64(), nullable=False),
        pa.field("received_us", pa.int64(), nullable=False),
        pa.field("value", pa.binary(), nullable=False),
        *_WHERE,
    ]
)
"""One row is one record of imu-data-all, ticks included: what a backfill needs to give what the
live run gave."""

TRANSFORMED: Final = pa.schema([*_plain_ids(transformed.SCHEMA), *_WHERE])
PREDICTIONS: Final = pa.schema(
    [
        *_plain_ids(predictions.SCHEMA),
        pa.field("model_name", pa.string(), nullable=False),
        pa.field("model_version", pa.string(), nullable=False),
        pa.field("model_sha256", pa.string(), nullable=False),
        *_WHERE,
    ]
)

_STATISTICS: Final = [
    pa.field(f"{magnitude}_{name}", pa.float64())
    for magnitude in ("acc_mag", "gyro_mag")
    for name in ("min", "max", "mean", "rms", "std")
]
AGGREGATED: Final = pa.schema(
    [
        pa.field("sensor_id", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("boot", pa.int32(), nullable=False),
        pa.field("start_us", pa.int64(), nullable=False),
        pa.field("end_us", pa.int64(), nullable=False),
        pa.field("samples", pa.int64(), nullable=False),
        pa.field("first_sample", pa.int64(), nullable=False),
        pa.field("last_sample", pa.int64(), nullable=False),
        pa.field("closed_by", pa.string(), nullable=False),
        pa.field("through_offset", pa.int64(), nullable=False),
        # Of motion windows; null otherwise.
        pa.field("gaps", pa.int64()),
        pa.field("late", pa.int64()),
        *_STATISTICS,
        # Of velocity windows; null otherwise.
        pa.field("velocity_max", pa.float64()),
        pa.field("distance_m", pa.float64()),
        pa.field("moving_share", pa.float64()),
        pa.field("resets", pa.int64()),
        pa.field("skipped", pa.int64()),
        pa.field("model_name", pa.string()),
        pa.field("model_version", pa.string()),
        pa.field("model_sha256", pa.string()),
        *_WHERE,
    ]
)
SESSIONS: Final = pa.schema(
    [
        pa.field("sensor_id", pa.string(), nullable=False),
        pa.field("event", pa.string(), nullable=False),
        pa.field("session_id", pa.string(), nullable=False),
        pa.field("revision", pa.int64(), nullable=False),
        pa.field("state", pa.string(), nullable=False),
        pa.field("start_us", pa.int64(), nullable=False),
        pa.field("end_us", pa.int64(), nullable=False),
        pa.field("windows", pa.int64(), nullable=False),
        pa.field("samples", pa.int64(), nullable=False),
        pa.field("gaps", pa.int64(), nullable=False),
        pa.field("late", pa.int64(), nullable=False),
        pa.field("acc_mag_max", pa.float64(), nullable=False),
        pa.field("gyro_mag_max", pa.float64(), nullable=False),
        pa.field("velocity_windows", pa.int64(), nullable=False),
        pa.field("velocity_max", pa.float64()),
        pa.field("distance_m", pa.float64()),
        pa.field("first_boot", pa.int32(), nullable=False),
        pa.field("last_boot", pa.int32(), nullable=False),
        pa.field("closed_by", pa.string()),
        pa.field("through_offset", pa.int64(), nullable=False),
        *_WHERE,
    ]
)
DEAD_LETTERS: Final = pa.schema(
    [
        pa.field("sensor_id", pa.string()),
        pa.field("failed_us", pa.int64(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("detail", pa.string()),
        pa.field("pipeline", pa.string()),
        pa.field("source", pa.string()),
        pa.field("byte_range", pa.string()),
        pa.field("code_version", pa.string()),
        pa.field("value", pa.binary(), nullable=False),
        *_WHERE,
    ]
)

SCHEMAS: Final = {
    topics.RAW: RAW,
    topics.TRANSFORMED: TRANSFORMED,
    topics.AGGREGATED: AGGREGATED,
    topics.PREDICTIONS: PREDICTIONS,
    topics.SESSIONS: SESSIONS,
    topics.DEAD_LETTERS: DEAD_LETTERS,
}

TIME_COLUMN: Final = {
    topics.RAW: "timestamp_us",
    topics.TRANSFORMED: "timestamp_us",
    topics.AGGREGATED: "start_us",
    topics.PREDICTIONS: "timestamp_us",
    topics.SESSIONS: "start_us",
    topics.DEAD_LETTERS: "failed_us",
}
"""The column by which a row belongs to a day and an hour, in microseconds since the epoch."""
