"""Records of the six topics for tests of the archive, made up but in the right form."""

from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from pipelines import predictions, topics, transformed
from pipelines.archive.record import Record
from pipelines.predictions import ModelId
from pipelines.ticks import Tick, encode_tick

START_US = 1_767_225_600_000_000
"""2026-01-01T00:00Z."""
HOUR_US = 3_600_000_000
MODEL = ModelId("velocity", "3", "ab" * 32)


def tick(offset: int) -> Record:
    headers = {topics.CONTENT_TYPE: topics.TICK_TYPE.encode()}
    return Record(offset, None, encode_tick(Tick(7, START_US)), headers, START_US)


def samples(offset: int, rows: list[tuple[str, int]], first_index: int = 0) -> Record:
    """A stream of sensor-data-transformed with these sensors and times."""
    count = len(rows)
    columns: list[Any] = []
    for field in transformed.SCHEMA:
        if field.name == "sensor_id":
            columns.append(pa.array([sensor for sensor, _ in rows]).dictionary_encode())
        elif field.name == "timestamp_us":
            columns.append(pa.array([time_us for _, time_us in rows], pa.int64()))
        elif field.name == "sample_index":
            columns.append(pa.array(np.arange(first_index, first_index + count)))
        else:
            columns.append(pa.array(np.arange(count) % 2).cast(field.type))
    return Record(offset, None, _stream(columns, transformed.SCHEMA), {}, START_US)


def predicted(offset: int, rows: list[tuple[str, int]], model: ModelId | None = MODEL) -> Record:
    """A stream of sensor-data-predictions with these sensors and times."""
    count = len(rows)
    columns = [
        pa.array([sensor for sensor, _ in rows]).dictionary_encode(),
        pa.array(np.zeros(count, np.int32)),
        pa.array(np.arange(count)),
        pa.array([time_us for _, time_us in rows], pa.int64()),
        pa.array(np.full(count, 1.5, np.float32)),
        pa.array(np.full(count, np.nan, np.float32)),
    ]
    schema = predictions.SCHEMA.with_metadata(None if model is None else model.metadata())
    return Record(offset, None, _stream(columns, schema), {}, START_US)


def _stream(columns: list[Any], schema: pa.Schema) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_table(pa.Table.from_arrays(columns, schema=schema))
    return bytes(sink.getvalue().to_pybytes())


def motion(offset: int, sensor: str = "a", **changes: Any) -> Record:
    """A motion window."""
    statistics = {"min": 0.5, "max": 2.0, "mean": 1.0, "rms": 1.1, "std": 0.1}
    window = {
        "kind": "motion",
        "sensor_id": sensor,
        "boot": 0,
        "start_us": START_US,
        "end_us": START_US + 2_000_000,
        "samples": 400,
        "first_sample": 0,
        "last_sample": 399,
        "gaps": 0,
        "late": 0,
        "acc_mag": statistics,
        "gyro_mag": statistics,
        "closed_by": "watermark",
        "through_offset": 12,
    }
    return Record(offset, sensor.encode(), orjson.dumps(window | changes), {}, START_US)


def velocity(offset: int, sensor: str = "a") -> Record:
    """A velocity window."""
    window = {
        "kind": "velocity",
        "sensor_id": sensor,
        "boot": 0,
        "start_us": START_US,
        "end_us": START_US + 2_000_000,
        "samples": 400,
        "first_sample": 0,
        "last_sample": 399,
        "velocity_max": 1.25,
        "distance_m": 2.5,
        "moving_share": 0.75,
        "resets": 0,
        "skipped": 1,
        "model": MODEL._asdict(),
        "closed_by": "time",
        "through_offset": 12,
    }
    return Record(offset, sensor.encode(), orjson.dumps(window), {}, START_US)


def session(offset: int, sensor: str = "a", **changes: Any) -> Record:
    """An event of a session."""
    event = {
        "event": "started",
        "session_id": f"{sensor}_{START_US}",
        "sensor_id": sensor,
        "revision": 1,
        "state": "open",
        "start_us": START_US,
        "end_us": START_US + 2_000_000,
        "windows": 1,
        "samples": 400,
        "gaps": 0,
        "late": 0,
        "acc_mag_max": 2.0,
        "gyro_mag_max": 0.5,
        "velocity_windows": 0,
        "velocity_max": None,
        "distance_m": None,
        "first_boot": 0,
        "last_boot": 0,
        "closed_by": None,
        "through_offset": 3,
    }
    return Record(offset, sensor.encode(), orjson.dumps(event | changes), {}, START_US)
