"""Frames and batches made by hand, for tests."""

from collections.abc import Sequence

import numpy as np
from fastcrc.crc16 import arc

from pipelines.frame_format import FRAME_HEADER, MAGIC, PAYLOAD_HEADER
from pipelines.records import InputBatch

PERIOD_US = 5_000
START_US = 1_760_000_000_000_000
TICK = b'{"tick":1,"published_us":0}'

Record = tuple[bytes | None, bytes, int]
"""Key, value and reception time in microseconds."""


def frame(base: int, timestamp_us: int, samples: int, body: bytes | None = None) -> bytes:
    """Return a frame; without ``body`` its samples differ by sample number."""
    if body is None:
        counts = (
            np.arange(base, base + samples, dtype=np.int64)[:, None] * 10 + np.arange(10)
        ) * 37
        body = (counts % 30_000 - 15_000).astype(">i2").tobytes()
    payload = PAYLOAD_HEADER.pack(base, timestamp_us, samples) + body
    head = FRAME_HEADER.pack(MAGIC, len(payload)) + payload
    return head + arc(head).to_bytes(2, "little")


def frame_on_time(base: int, samples: int = 64, start_us: int = START_US) -> bytes:
    """Return a frame whose time agrees with its number, for a device that began at start_us."""
    return frame(base, start_us + base * PERIOD_US, samples)


def record(payload: bytes, sensor: bytes = b"sensor1", received_us: int = START_US) -> Record:
    """Return a device's record, received ten minutes after `START_US` unless said otherwise."""
    return sensor, payload, received_us + 600_000_000


def tick() -> Record:
    """Return a tick."""
    return None, TICK, START_US


def batch(records: Sequence[Record], first_offset: int = 0, spacing: int = 1) -> InputBatch:
    """Return records as a batch at first_offset, first_offset + spacing, …"""
    count = len(records)
    return InputBatch(
        keys=[key for key, _, _ in records],
        values=[value for _, value, _ in records],
        offsets=first_offset + spacing * np.arange(count, dtype=np.int64),
        received_us=np.array([received_us for _, _, received_us in records], np.int64),
    )
