"""The rows of sensor-data-transformed: their Arrow schema, and streams of at most 900 kB."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

SCHEMA = pa.schema(
    [
        pa.field("sensor_id", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("boot", pa.int32(), nullable=False),
        pa.field("sample_index", pa.int64(), nullable=False),
        pa.field("timestamp_us", pa.int64(), nullable=False),
        pa.field("acc_x", pa.float32(), nullable=False),
        pa.field("acc_y", pa.float32(), nullable=False),
        pa.field("acc_z", pa.float32(), nullable=False),
        pa.field("gyro_x", pa.float32(), nullable=False),
        pa.field("gyro_y", pa.float32(), nullable=False),
        pa.field("gyro_z", pa.float32(), nullable=False),
        pa.field("mag_x", pa.float32(), nullable=False),
        pa.field("mag_y", pa.float32(), nullable=False),
        pa.field("mag_z", pa.float32(), nullable=False),
        pa.field("temp_raw", pa.int16(), nullable=False),
        pa.field("accl_mag", pa.float32(), nullable=False),
        pa.field("gyro_mag", pa.float32(), nullable=False),
        pa.field("late", pa.bool_(), nullable=False),
        pa.field("raw_offset", pa.int64(), nullable=False),
    ]
)
"""One row is one sample. Units: acc g, gyro rad/s, mag gauss, timestamps microseconds since the
epoch on the device's clock; ``late`` says that the sample's window had already closed;
``raw_offset`` is the record of imu-data-all, in the same partition number, that it came from."""

AXES = ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z", "mag_x", "mag_y", "mag_z")
MAGNITUDES = ("accl_mag", "gyro_mag")

STREAM_BYTES: Final = 900_000
"""The largest stream in one record."""
_ROW_BYTES: Final = 79
_SCHEMA_BYTES: Final = 8_192
_ID_BYTES: Final = 264
"""A sensor id of 64 characters in UTF-8 with its offset, rounded up."""


def encode_rows(columns: Any, start: int, end: int, ids: Sequence[bytes]) -> Iterator[pa.Buffer]:
    """Yield rows start:end as Arrow IPC streams of at most `STREAM_BYTES` each.

    Args:
        columns: :class:`pipelines.operators.samples.Columns`.
        start: first row.
        end: one past the last row.
        ids: the sensor ids that ``columns.sensor`` counts.
    """
    # However many rows of a sensor there are, its id stands in the dictionary once.
    room = STREAM_BYTES - _SCHEMA_BYTES
    rows = max(room // (_ROW_BYTES + _ID_BYTES), (room - _ID_BYTES * len(ids)) // _ROW_BYTES)
    for at in range(start, end, rows):
        yield _encode(columns, at, min(at + rows, end), ids)


def _encode(columns: Any, start: int, end: int, ids: Sequence[bytes]) -> pa.Buffer:
    rows = slice(start, end)
    sensor_ids = _sensor_ids(columns.sensor[rows], ids)
    batch = pa.RecordBatch.from_arrays(
        [
            sensor_ids,
            pa.array(columns.boot[rows]),
            pa.array(columns.sample_index[rows]),
            pa.array(columns.timestamp_us[rows]),
            *(pa.array(axis[rows]) for axis in columns.acc),
            *(pa.array(axis[rows]) for axis in columns.gyro),
            *(pa.array(axis[rows]) for axis in columns.mag),
            pa.array(columns.temp_raw[rows]),
            pa.array(columns.accl_mag[rows]),
            pa.array(columns.gyro_mag[rows]),
            pa.array(columns.late[rows]),
            pa.array(columns.raw_offset[rows]),
        ],
        schema=SCHEMA,
    )
    # Written into room of the right size, and handed on without a copy.
    id_bytes = _ID_BYTES * len(sensor_ids.dictionary)
    room = pa.allocate_buffer(_SCHEMA_BYTES + _ROW_BYTES * len(batch) + id_bytes)
    sink = pa.FixedSizeBufferWriter(room)
    with pa.ipc.new_stream(sink, SCHEMA) as writer:
        writer.write_batch(batch)
    return room.slice(0, sink.tell())


def _sensor_ids(sensor: npt.NDArray[np.int32], ids: Sequence[bytes]) -> pa.DictionaryArray:
    present = np.zeros(len(ids), np.bool_)
    present[sensor] = True
    used = np.flatnonzero(present)
    index = np.zeros(len(ids), np.int32)
    index[used] = np.arange(len(used), dtype=np.int32)
    names = pa.array([ids[i].decode() for i in used.tolist()], pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(index[sensor]), names)
