"""The rows of sensor-data-transformed: their Arrow schema."""

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
