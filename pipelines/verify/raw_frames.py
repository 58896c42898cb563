"""Records of imu-data-all, taken apart into frames and dead pieces by the plain scanner."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from confluent_kafka import Message
from fastcrc.crc16 import arc

from pipelines.verify.plain_json import looks_like_json, samples_of
from pipelines.verify.plain_scanner import HEADER_BYTES, SAMPLE_BYTES, scan
from pipelines.verify.streams import record_headers

_HEADER = np.dtype(
    [("magic", "<u2"), ("length", "<u2"), ("base", "<u4"), ("time", "<u8"), ("samples", "<u2")]
)
_MAGIC = 0x1E7C
LARGEST_TIMESTAMP_US = 2**62


class RawRecord(NamedTuple):
    """One device's message; ``ticks`` came before it in this read."""

    offset: int
    sensor: int
    received_us: int
    ticks: int
    payload: bytes


class Frame(NamedTuple):
    """A good frame: where it is, and what it says."""

    record: int
    start: int
    end: int
    base: int
    timestamp_us: int
    samples: int


class DeadPiece(NamedTuple):
    """Bytes that are no good frame."""

    record: int
    start: int
    end: int
    reason: str


class RawFrames(NamedTuple):
    """What one read of imu-data-all holds; frames and dead pieces in the order of the bytes.

    ``made`` holds for the record of a JSON payload the bytes that its one frame would have had.
    """

    records: list[RawRecord]
    frames: list[Frame]
    dead: list[DeadPiece]
    made: dict[int, bytes]
    ticks: int
    through_offset: int


class Sensors:
    """Numbers the sensor ids of a partition."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self._numbers: dict[bytes, int] = {}

    def number(self, key: bytes) -> int:
        """Return the number of a sensor id given in UTF-8."""
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.ids)
            self.ids.append(key.decode(errors="backslashreplace"))
        return number


def read_frames(messages: Sequence[Message], sensors: Sensors, sample_rate_hz: float) -> RawFrames:
    """Take records apart; those without a key are ticks."""
    records: list[RawRecord] = []
    ticks = 0
    for message in messages:
        key = message.key()
        if key is None:
            ticks += 1
            continue
        records.append(
            RawRecord(
                message.offset() or 0,
                sensors.number(key),
                _received_us(message),
                ticks,
                message.value() or b"",
            )
        )
    frames, dead, made = take_apart([record.payload for record in records], sample_rate_hz)
    return RawFrames(records, frames, dead, made, ticks, (messages[-1].offset() or 0) + 1)


def _received_us(message: Message) -> int:
    value = record_headers(message).get("received-us")
    return int(message.timestamp()[1] * 1000 if value is None else value)


def take_apart(
    payloads: Sequence[bytes], sample_rate_hz: float
) -> tuple[list[Frame], list[DeadPiece], dict[int, bytes]]:
    """Return what :class:`RawFrames` says of the payloads: frames, dead pieces, what was made."""
    frames: list[Frame] = []
    dead: list[DeadPiece] = []
    made: dict[int, bytes] = {}
    for i, found in enumerate(_single_frames(payloads)):
        if found is not None:
            frames.append(Frame(i, 0, len(payloads[i]), *found))
            continue
        if looks_like_json(payloads[i]):
            whole = len(payloads[i])
            said = samples_of(payloads[i], sample_rate_hz)
            if isinstance(said, str):
                dead.append(DeadPiece(i, 0, whole, said))
            else:
                frames.append(Frame(i, 0, whole, said.base, said.timestamp_us, said.samples))
                made[i] = bytes(HEADER_BYTES) + said.data
            continue
        for piece in scan(payloads[i]):
            if piece.reason is None:
                time_us = min(piece.timestamp_us, LARGEST_TIMESTAMP_US)
                frames.append(Frame(i, piece.start, piece.end, piece.base, time_us, piece.samples))
            else:
                dead.append(DeadPiece(i, piece.start, piece.end, piece.reason))
    return frames, dead, made


def _single_frames(payloads: Sequence[bytes]) -> list[tuple[int, int, int] | None]:
    """Return base, timestamp and samples of the payloads that are exactly one good frame."""
    joined = b"".join([payload[:HEADER_BYTES].ljust(HEADER_BYTES, b"\0") for payload in payloads])
    header = np.frombuffer(joined, _HEADER)
    size = np.fromiter(map(len, payloads), np.int64, len(payloads))
    computed = np.fromiter((arc(payload[:-2]) for payload in payloads), np.uint16, len(payloads))
    sent = np.frombuffer(b"".join([p[-2:].rjust(2, b"\0") for p in payloads]), "<u2")
    good = (
        (size >= HEADER_BYTES + 2)
        & (header["magic"] == _MAGIC)
        & (header["length"].astype(np.int64) + 6 == size)
        & (14 + header["samples"].astype(np.int64) * SAMPLE_BYTES + 6 <= size)
        & (computed == sent)
    )
    times = np.minimum(header["time"], np.uint64(LARGEST_TIMESTAMP_US))
    columns = zip(
        good.tolist(),
        header["base"].tolist(),
        times.tolist(),
        header["samples"].tolist(),
        strict=True,
    )
    return [(base, time, samples) if ok else None for ok, base, time, samples in columns]


def raw_samples(
    payloads: Sequence[bytes], record: npt.NDArray[np.int64], at: npt.NDArray[np.int64]
) -> npt.NDArray[np.void]:
    """Return the counts of samples that begin at byte ``at`` of the payload of ``record``.

    Returns:
        ``(m,)`` with the fields acc, gyro, mag ``(3,) int16`` and temp ``int16``.
    """
    lengths = np.fromiter(map(len, payloads), np.int64, len(payloads))
    buffer = np.frombuffer(b"".join(payloads), np.uint8)
    begin = (np.cumsum(lengths) - lengths)[record] + at
    windows = np.lib.stride_tricks.sliding_window_view(buffer, SAMPLE_BYTES)
    return np.ascontiguousarray(windows[begin]).view(SAMPLE).ravel()


SAMPLE = np.dtype([("acc", ">i2", 3), ("gyro", ">i2", 3), ("mag", "<i2", 3), ("temp", ">i2")])
