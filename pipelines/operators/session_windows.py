"""What session_aggregation reads: the fields of a window that a session is made of.

The record is one of ``schemas/window.schema.json``; fields that sessions do not need are skipped.
"""

from typing import Annotated, Final

import msgspec

from pipelines.errors import DataError

NOT_A_WINDOW: Final = "not_a_window"

_LARGEST_US: Final = 2**62
_LARGEST_COUNT: Final = 2**53
_LARGEST_VALUE: Final = 1e12

SensorId = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Time = Annotated[int, msgspec.Meta(ge=-_LARGEST_US, le=_LARGEST_US)]
Count = Annotated[int, msgspec.Meta(ge=0, le=_LARGEST_COUNT)]
Samples = Annotated[int, msgspec.Meta(ge=1, le=_LARGEST_COUNT)]
Boot = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
# Far above what a sensor can measure; sums of such values stay finite.
Value = Annotated[float, msgspec.Meta(ge=-_LARGEST_VALUE, le=_LARGEST_VALUE)]


class Statistics(msgspec.Struct, frozen=True, gc=False):
    """Of a magnitude over a window."""

    max: Value


class MotionWindow(msgspec.Struct, frozen=True, tag_field="kind", tag="motion"):
    """A closed motion window; times in microseconds on the device's clock."""

    sensor_id: SensorId
    boot: Boot
    start_us: Time
    end_us: Time
    samples: Samples
    gaps: Count
    late: Count
    acc_mag: Statistics
    gyro_mag: Statistics


class VelocityWindow(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="velocity"):
    """A closed velocity window: m/s and m."""

    sensor_id: SensorId
    start_us: Time
    end_us: Time
    velocity_max: Value
    distance_m: Value


_DECODER: Final = msgspec.json.Decoder(MotionWindow | VelocityWindow)


def read_window(key: bytes, value: bytes) -> MotionWindow | VelocityWindow:
    """Read a record of sensor-data-aggregated.

    Raises:
        DataError: it is no window, or not one of the sensor that its key names.
    """
    try:
        value.decode()  # The decoder does not look into strings that it skips.
        window = _DECODER.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(str(error)) from None
    if window.sensor_id.encode(errors="replace") != key:
        raise DataError("`sensor_id` is not the record's key")
    if window.end_us <= window.start_us:
        raise DataError("`end_us` is not after `start_us`")
    return window
