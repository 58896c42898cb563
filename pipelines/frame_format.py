"""The binary frame that a device sends: layout, calibration, and why a frame is refused.

A frame is ``0x7C 0x1E``, the payload's length (u16 LE), the payload, and CRC-16/ARC (u16 LE) over
header and payload. The payload is the base sample number (u32 LE), the timestamp of the first
sample (u64 LE, microseconds since the epoch), the sample count n (u16 LE), n samples of 20 bytes
and padding that is ignored. A sample is accelerometer (3 x i16 BE), gyroscope (3 x i16 BE),
magnetometer (3 x i16 LE) and temperature (i16 BE). n = 0 is a heartbeat.
"""

import math
import struct
from typing import Final

MAGIC: Final = b"\x7c\x1e"
FRAME_HEADER: Final = struct.Struct("<2sH")
PAYLOAD_HEADER: Final = struct.Struct("<IQH")
CRC_BYTES: Final = 2
SAMPLE_BYTES: Final = 20
OVERHEAD_BYTES: Final = FRAME_HEADER.size + CRC_BYTES
"""Bytes of a frame besides its payload."""
SAMPLES_AT: Final = FRAME_HEADER.size + PAYLOAD_HEADER.size
"""Where the first sample begins in a frame."""

ACC_G: Final = 0.488 / 1000
"""One count of the accelerometer, in g."""
GYRO_RAD_S: Final = math.radians(0.140)
"""One count of the gyroscope, in rad/s."""
MAG_GAUSS: Final = 1 / 1711
"""One count of the magnetometer, in gauss."""

# Why bytes are quarantined: the header `reason` of a dead letter.
NOT_A_FRAME: Final = "not_a_frame"
CRC_MISMATCH: Final = "crc_mismatch"
TRUNCATED_FRAME: Final = "truncated_frame"
SAMPLE_COUNT_MISMATCH: Final = "sample_count_mismatch"
EMPTY_PAYLOAD: Final = "empty_payload"
INVALID_JSON: Final = "invalid_json"
INVALID_PAYLOAD: Final = "invalid_payload"
IMPLAUSIBLE_TIMESTAMP: Final = "implausible_timestamp"
TOO_OLD: Final = "too_old"
