"""Encode whole batches of frames at once (the frame format: DESIGN.md, Contracts, MQTT)."""

import numpy as np
import numpy.typing as npt
from fastcrc import crc16

from simulator.readings import SAMPLE_BYTES

SYNC = 0x1E7C  # 7C 1E, read as little endian
_HEADER = np.dtype(
    [("sync", "<u2"), ("length", "<u2"), ("base", "<u4"), ("timestamp_us", "<u8"), ("n", "<u2")]
)
HEADER_BYTES = _HEADER.itemsize
CRC_BYTES = 2
MAX_SAMPLES = (65_535 - 14) // SAMPLE_BYTES


def frame_bytes(num_samples: int) -> int:
    """Return the length of a frame of that many samples."""
    return HEADER_BYTES + num_samples * SAMPLE_BYTES + CRC_BYTES


def encode_frames(
    base_sample_numbers: npt.NDArray[np.int64],
    timestamps_us: npt.NDArray[np.int64],
    samples: npt.NDArray[np.uint8],
) -> list[bytes]:
    """Return one frame for each row.

    base_sample_numbers, timestamps_us: ``(m,)``; numbers are taken modulo 2**32
    samples: ``(m, n * 20) uint8``; n may be 0, which makes heartbeats
    """
    count, sample_bytes = samples.shape
    frames = np.empty((count, HEADER_BYTES + sample_bytes), dtype=np.uint8)
    header = np.empty(count, dtype=_HEADER)
    header["sync"], header["length"] = SYNC, HEADER_BYTES - 4 + sample_bytes
    header["base"] = base_sample_numbers % 2**32
    header["timestamp_us"], header["n"] = timestamps_us, sample_bytes // SAMPLE_BYTES
    frames[:, :HEADER_BYTES] = header.view(np.uint8).reshape(count, HEADER_BYTES)
    frames[:, HEADER_BYTES:] = samples
    size, whole = frames.shape[1], frames.tobytes()
    bodies = [whole[at : at + size] for at in range(0, count * size, size)]
    return [body + crc16.arc(body).to_bytes(CRC_BYTES, "little") for body in bodies]
