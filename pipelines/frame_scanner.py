"""Find the whole frames in one payload; every byte is in one good frame or one dead span.

This is the plain definition. :mod:`pipelines.frame_table` takes a short cut for payloads that are
exactly one good frame, and comes here for all others.
"""

from typing import NamedTuple

from fastcrc.crc16 import arc

from pipelines.frame_format import (
    CRC_BYTES,
    CRC_MISMATCH,
    EMPTY_PAYLOAD,
    FRAME_HEADER,
    MAGIC,
    NOT_A_FRAME,
    OVERHEAD_BYTES,
    PAYLOAD_HEADER,
    SAMPLE_BYTES,
    SAMPLE_COUNT_MISMATCH,
    TRUNCATED_FRAME,
)


class FrameSpan(NamedTuple):
    """A good frame at ``payload[start:end]``."""

    start: int
    end: int
    base_sample_number: int
    timestamp_us: int
    num_samples: int


class DeadSpan(NamedTuple):
    """Bytes at ``payload[start:end]`` that are no good frame, with the reason and its detail."""

    start: int
    end: int
    reason: str
    detail: str


def scan_payload(payload: bytes) -> tuple[list[FrameSpan], list[DeadSpan]]:
    """Split a payload into good frames and dead spans, which together cover every byte once."""
    if not payload:
        return [], [DeadSpan(0, 0, EMPTY_PAYLOAD, "the payload has no bytes")]
    frames: list[FrameSpan] = []
    dead: list[DeadSpan] = []
    at = 0
    while at < len(payload):
        end = _end_of_whole_frame(payload, at)
        if end:
            found = _read_frame(payload, at, end)
            if isinstance(found, FrameSpan):
                frames.append(found)
            else:
                dead.append(found)
            at = end
        else:
            resume = _next_whole_frame(payload, at + 1)
            dead.append(DeadSpan(at, resume, *_why_not_whole(payload, at)))
            at = resume
    return frames, dead


def _end_of_whole_frame(payload: bytes, at: int) -> int:
    """Return where the whole frame with a right CRC at ``at`` ends, or 0 if there is none."""
    if payload[at : at + 2] != MAGIC or len(payload) - at < OVERHEAD_BYTES:
        return 0
    _, length = FRAME_HEADER.unpack_from(payload, at)
    end = at + OVERHEAD_BYTES + length
    # The CRC of bytes that end with their own CRC-16/ARC is 0.
    if end > len(payload) or arc(payload[at:end]):
        return 0
    return int(end)


def _next_whole_frame(payload: bytes, at: int) -> int:
    """Return where the next whole frame with a right CRC begins, or the payload's end."""
    while (at := payload.find(MAGIC, at)) != -1:
        if _end_of_whole_frame(payload, at):
            return at
        at += 1
    return len(payload)


def _read_frame(payload: bytes, at: int, end: int) -> FrameSpan | DeadSpan:
    length = end - at - OVERHEAD_BYTES
    if length < PAYLOAD_HEADER.size:
        detail = f"a payload of {length} bytes is shorter than its header of {PAYLOAD_HEADER.size}"
        return DeadSpan(at, end, SAMPLE_COUNT_MISMATCH, detail)
    base, timestamp_us, samples = PAYLOAD_HEADER.unpack_from(payload, at + FRAME_HEADER.size)
    room = (length - PAYLOAD_HEADER.size) // SAMPLE_BYTES
    if samples > room:
        detail = f"{samples} samples declared, room for {room}"
        return DeadSpan(at, end, SAMPLE_COUNT_MISMATCH, detail)
    return FrameSpan(at, end, base, timestamp_us, samples)


def _why_not_whole(payload: bytes, at: int) -> tuple[str, str]:
    """Return reason and detail for the bytes at ``at``, which begin no whole frame."""
    left = len(payload) - at
    # A cut can fall inside the magic or the length: what is there must fit a frame's beginning.
    if not MAGIC.startswith(payload[at : at + 2]):
        return NOT_A_FRAME, f"begins with {payload[at : at + 2].hex()}, not {MAGIC.hex()}"
    if left < FRAME_HEADER.size:
        return TRUNCATED_FRAME, f"{left} bytes of a header of {FRAME_HEADER.size}"
    _, length = FRAME_HEADER.unpack_from(payload, at)
    whole = OVERHEAD_BYTES + length
    if whole > left:
        return TRUNCATED_FRAME, f"{left} bytes of a frame of {whole}"
    computed = arc(payload[at : at + whole - CRC_BYTES])
    sent = int.from_bytes(payload[at + whole - CRC_BYTES : at + whole], "little")
    return CRC_MISMATCH, f"CRC {sent:#06x} sent, {computed:#06x} computed"
