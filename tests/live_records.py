"""Records of the stages, made as the pipelines make them."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipelines.transformed import SCHEMA

PERIOD_US = 5_000
_GOLDEN = Path(__file__).parent / "data" / "frames.jsonl"
GOLDEN = [json.loads(line) for line in _GOLDEN.read_text().splitlines()]
STATISTICS = {"min": 0.5, "max": 2.0, "mean": 1.0, "rms": 1.1, "std": 0.1}
WINDOW = {
    "kind": "motion",
    "sensor_id": "sensor1",
    "boot": 0,
    "start_us": 0,
    "end_us": 2_000_000,
    "samples": 400,
    "first_sample": 0,
    "last_sample": 399,
    "gaps": 0,
    "late": 0,
    "acc_mag": STATISTICS,
    "gyro_mag": STATISTICS,
    "closed_by": "watermark",
    "through_offset": 12,
}
VELOCITY_WINDOW = {
    "kind": "velocity",
    "sensor_id": "sensor1",
    "boot": 0,
    "start_us": 0,
    "end_us": 2_000_000,
    "samples": 400,
    "first_sample": 0,
    "last_sample": 399,
    "velocity_max": 1.25,
    "distance_m": 0.5,
    "moving_share": 0.25,
    "resets": 1,
    "skipped": 0,
    "model": {"name": "velocity", "version": "3", "sha256": "ab" * 32},
    "closed_by": "time",
    "through_offset": 12,
}
SESSION = {
    "event": "closed",
    "session_id": "sensor1_0",
    "sensor_id": "sensor1",
    "revision": 4,
    "state": "closed",
    "start_us": 0,
    "end_us": 20_000_000,
    "windows": 10,
    "samples": 4_000,
    "gaps": 0,
    "late": 0,
    "acc_mag_max": 2.0,
    "gyro_mag_max": 1.0,
    "velocity_windows": 10,
    "velocity_max": 1.25,
    "distance_m": 5.0,
    "first_boot": 0,
    "last_boot": 0,
    "closed_by": "gap",
    "through_offset": 20,
}


def session_event(sensor_id: str) -> bytes:
    """Return an event of a sensor's own session, as the topic holds it."""
    own = {"sensor_id": sensor_id, "session_id": f"{sensor_id}_0"}
    return json.dumps({**SESSION, **own}).encode()


class Samples(NamedTuple):
    """``count`` samples of a sensor from number ``first`` on; the last was taken at ``last_us``."""

    sensor_id: str
    first: int
    count: int
    last_us: int


def samples(
    sensor_id: str, first: int, count: int, last_us: int = 1_760_000_000_000_000
) -> Samples:
    """Describe samples at 200 Hz."""
    return Samples(sensor_id, first, count, last_us)


def transformed_record(*batches: list[Samples]) -> bytes:
    """Return an Arrow IPC stream of these batches; the rows of each entry stand together."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, SCHEMA) as writer:
        for batch in batches:
            writer.write_batch(_batch(batch))
    value: bytes = sink.getvalue().to_pybytes()
    return value


def _batch(entries: list[Samples]) -> pa.RecordBatch:
    ids = list(dict.fromkeys(entry.sensor_id for entry in entries))
    codes = np.concatenate(
        [np.full(entry.count, ids.index(entry.sensor_id), np.int32) for entry in entries]
    )
    index = np.concatenate([entry.first + np.arange(entry.count) for entry in entries])
    times = np.concatenate(
        [entry.last_us - PERIOD_US * np.arange(entry.count)[::-1] for entry in entries]
    )
    columns = {
        "sensor_id": pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(ids)),
        "sample_index": pa.array(index, pa.int64()),
        "timestamp_us": pa.array(times, pa.int64()),
        "late": pa.array(np.zeros(len(index), np.bool_)),
    }
    for number, field in enumerate(SCHEMA):
        if field.name not in columns:
            wave = 100 * np.sin(index / 50 + number)
            columns[field.name] = pa.array(wave.astype(field.type.to_pandas_dtype()))
    return pa.RecordBatch.from_arrays([columns[name] for name in SCHEMA.names], schema=SCHEMA)
