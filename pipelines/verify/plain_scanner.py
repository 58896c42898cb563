"""The frame format read once more, plainly, so that the operator's scanner is not its own judge.

Written from the contract: a whole frame is magic, length, payload and a right CRC-16/ARC; decoding
goes on at the next whole frame; every byte is in one good frame or one dead piece.
"""

from typing import NamedTuple

from fastcrc.crc16 import arc

SAMPLE_BYTES = 20
HEADER_BYTES = 18
"""Magic, length, base sample number, timestamp, sample count."""


class Piece(NamedTuple):
    """``payload[start:end]``; ``reason`` is None for a good frame, whose fields then count."""

    start: int
    end: int
    reason: str | None
    base: int = 0
    timestamp_us: int = 0
    samples: int = 0


def scan(payload: bytes) -> list[Piece]:
    """Cut a payload into good frames and dead pieces, in order and without holes."""
    if payload == b"":
        return [Piece(0, 0, "empty_payload")]
    pieces = []
    here = 0
    while here < len(payload):
        size = whole_frame(payload, here)
        if size is not None:
            pieces.append(_judge(payload, here, here + size))
            here += size
            continue
        resume = here + 1
        while resume < len(payload) and whole_frame(payload, resume) is None:
            resume += 1
        pieces.append(Piece(here, resume, _reason(payload[here:])))
        here = resume
    return pieces


def whole_frame(payload: bytes, here: int) -> int | None:
    """Return the size of the frame with a right CRC that begins here, if one does."""
    if payload[here : here + 2] != b"\x7c\x1e" or len(payload) < here + 6:
        return None
    size = 6 + payload[here + 2] + 256 * payload[here + 3]
    body, crc = payload[here : here + size - 2], payload[here + size - 2 : here + size]
    if len(body) + len(crc) != size or arc(body) != crc[0] + 256 * crc[1]:
        return None
    return size


def _judge(payload: bytes, start: int, end: int) -> Piece:
    """Take a whole frame apart; its declared samples must have room in it."""
    fields = payload[start + 4 : end - 2]
    if len(fields) < 14:
        return Piece(start, end, "sample_count_mismatch")
    base = int.from_bytes(fields[:4], "little")
    timestamp_us = int.from_bytes(fields[4:12], "little")
    samples = int.from_bytes(fields[12:14], "little")
    if 14 + samples * SAMPLE_BYTES > len(fields):
        return Piece(start, end, "sample_count_mismatch")
    return Piece(start, end, None, base, timestamp_us, samples)


def _reason(rest: bytes) -> str:
    """Say what is wrong with bytes that begin no whole frame."""
    if rest[0] != 0x7C or (len(rest) > 1 and rest[1] != 0x1E):
        return "not_a_frame"
    if len(rest) < 4 or len(rest) < 6 + rest[2] + 256 * rest[3]:
        return "truncated_frame"
    return "crc_mismatch"
