"""The rows of sensor-data-transformed: their Arrow schema, and streams of at most 900 kB."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.compiled import compiled

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
SCHEMA_BYTES: Final = 8_192
ID_BYTES: Final = 264
"""A sensor id of 64 characters in UTF-8 with its offset, rounded up."""


def encode_rows(columns: Any, start: int, end: int, ids: pa.Array) -> Iterator[pa.Buffer]:
    """Yield rows start:end as Arrow IPC streams of at most `STREAM_BYTES` each.

    Args:
        columns: :class:`pipelines.operators.samples.Columns`.
        start: first row.
        end: one past the last row.
        ids: the sensor ids that ``columns.sensor`` counts, as an array of strings.
    """
    # However many rows of a sensor there are, its id stands in the dictionary once.
    room = STREAM_BYTES - SCHEMA_BYTES
    rows = max(room // (_ROW_BYTES + ID_BYTES), (room - ID_BYTES * len(ids)) // _ROW_BYTES)
    for at in range(start, end, rows):
        yield _encode(columns, at, min(at + rows, end), ids)


def _encode(columns: Any, start: int, end: int, ids: pa.Array) -> pa.Buffer:
    rows = slice(start, end)
    index, used = number_sensors(columns.sensor[rows], len(ids))
    names = ids.take(arrow_array(pa.int64(), used))
    sensor_ids = pa.DictionaryArray.from_arrays(arrow_array(pa.int32(), index), names, safe=False)
    late = np.packbits(columns.late[rows], bitorder="little")
    batch = pa.RecordBatch.from_arrays(
        [
            sensor_ids,
            arrow_array(pa.int32(), columns.boot[rows]),
            arrow_array(pa.int64(), columns.sample_index[rows]),
            arrow_array(pa.int64(), columns.timestamp_us[rows]),
            *(arrow_array(pa.float32(), axis[rows]) for axis in columns.acc),
            *(arrow_array(pa.float32(), axis[rows]) for axis in columns.gyro),
            *(arrow_array(pa.float32(), axis[rows]) for axis in columns.mag),
            arrow_array(pa.int16(), columns.temp_raw[rows]),
            arrow_array(pa.float32(), columns.accl_mag[rows]),
            arrow_array(pa.float32(), columns.gyro_mag[rows]),
            pa.Array.from_buffers(pa.bool_(), end - start, [None, pa.py_buffer(late)]),
            arrow_array(pa.int64(), columns.raw_offset[rows]),
        ],
        schema=SCHEMA,
    )
    # Written into room of the right size, and handed on without a copy.
    room = pa.allocate_buffer(SCHEMA_BYTES + _ROW_BYTES * len(batch) + ID_BYTES * len(names))
    sink = pa.FixedSizeBufferWriter(room)
    with pa.ipc.new_stream(sink, SCHEMA) as writer:
        writer.write_batch(batch)
    return room.slice(0, sink.tell())


def arrow_array(kind: pa.DataType, values: npt.NDArray[Any]) -> pa.Array:
    """Return contiguous values as Arrow without a copy; `pa.array` costs 5 us more a column."""
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)])


@compiled
def number_sensors(
    sensor: npt.NDArray[Any], ids: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Number the sensors of these rows by first appearance: each row's number, and who they are."""
    number = np.full(ids, -1, np.int32)
    used = np.empty(ids, np.int64)
    index = np.empty(len(sensor), np.int32)
    count = 0
    for row in range(len(sensor)):
        if number[sensor[row]] < 0:
            number[sensor[row]] = count
            used[count] = sensor[row]
            count += 1
        index[row] = number[sensor[row]]
    return index, used[:count]
