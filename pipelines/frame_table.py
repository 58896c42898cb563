"""All frames of a batch of payloads as columns, found without a Python loop over good frames."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from fastcrc.crc16 import arc

from pipelines.compiled import compiled
from pipelines.frame_format import OVERHEAD_BYTES, PAYLOAD_HEADER, SAMPLE_BYTES
from pipelines.frame_scanner import DeadSpan, scan_payload

Int64s = npt.NDArray[np.int64]

_PAYLOAD_HEADER_BYTES = PAYLOAD_HEADER.size
_FEWEST_BYTES = OVERHEAD_BYTES + _PAYLOAD_HEADER_BYTES
_LARGEST_TIMESTAMP_US = 2**62
"""Timestamps are held as int64 with room to add to them; a larger one is implausible anyway."""


class FrameTable(NamedTuple):
    """The ``m`` good frames in ``n`` payloads, in the order received.

    buffer:       ``(bytes,) uint8``, all payloads joined
    first_frame:  ``(n + 1,)``: the frames of payload i are first_frame[i]:first_frame[i + 1]
    start:        ``(m,)`` where each frame begins in ``buffer``
    end:          ``(m,)`` where it ends
    base:         ``(m,)`` base sample number
    timestamp_us: ``(m,)`` microseconds since the epoch, at most 2**62
    samples:      ``(m,)`` sample count
    payload_start: ``(n,)`` where each payload begins in ``buffer``
    dead:         the dead spans by payload: (payload's index, span)
    """

    buffer: npt.NDArray[np.uint8]
    first_frame: Int64s
    start: Int64s
    end: Int64s
    base: Int64s
    timestamp_us: Int64s
    samples: Int64s
    payload_start: Int64s
    dead: list[tuple[int, DeadSpan]]


def tabulate(payloads: Sequence[bytes]) -> FrameTable:
    """Find the frames of ``payloads``; equal to ``scan_payload`` of each."""
    count = len(payloads)
    lengths = np.fromiter(map(len, payloads), np.int64, count)
    residues = np.fromiter(map(arc, payloads), np.uint16, count)
    buffer = np.frombuffer(b"".join(payloads), np.uint8)
    starts = np.cumsum(lengths) - lengths
    base, timestamp_us, samples, regular = _read_headers(buffer, starts, lengths, residues)
    if regular.all():
        first_frame = np.arange(count + 1, dtype=np.int64)
        ends = starts + lengths
        return FrameTable(
            buffer, first_frame, starts, ends, base, timestamp_us, samples, starts, []
        )
    return _with_irregular(payloads, buffer, starts, lengths, base, timestamp_us, samples, regular)


def _with_irregular(
    payloads: Sequence[bytes],
    buffer: npt.NDArray[np.uint8],
    starts: Int64s,
    lengths: Int64s,
    base: Int64s,
    timestamp_us: Int64s,
    samples: Int64s,
    regular: npt.NDArray[np.bool_],
) -> FrameTable:
    """Scan the payloads that are not exactly one good frame, and merge the rest around them."""
    frames_in = np.ones(len(payloads), np.int64)
    scanned: list[tuple[int, list[tuple[int, int, int, int, int]]]] = []
    dead: list[tuple[int, DeadSpan]] = []
    for i in np.flatnonzero(~regular).tolist():
        spans, dead_spans = scan_payload(payloads[i])
        frames_in[i] = len(spans)
        at = int(starts[i])
        scanned.append(
            (
                i,
                [
                    (at + s.start, at + s.end, s.base_sample_number, _bounded(s.timestamp_us), s[4])
                    for s in spans
                ],
            )
        )
        dead.extend((i, span) for span in dead_spans)
    first_frame = np.zeros(len(payloads) + 1, np.int64)
    np.cumsum(frames_in, out=first_frame[1:])
    columns = np.empty((5, int(first_frame[-1])), np.int64)
    at_regular = first_frame[:-1][regular]
    for row, column in enumerate((starts, starts + lengths, base, timestamp_us, samples)):
        columns[row, at_regular] = column[regular]
    for i, rows in scanned:
        if rows:
            columns[:, first_frame[i] : first_frame[i + 1]] = np.array(rows, np.int64).T
    start, end, base, timestamp_us, samples = columns
    return FrameTable(buffer, first_frame, start, end, base, timestamp_us, samples, starts, dead)


def _bounded(timestamp_us: int) -> int:
    return min(timestamp_us, _LARGEST_TIMESTAMP_US)


@compiled
def _read_headers(
    buffer: npt.NDArray[np.uint8],
    starts: Int64s,
    lengths: Int64s,
    residues: npt.NDArray[np.uint16],
) -> tuple[Int64s, Int64s, Int64s, npt.NDArray[np.bool_]]:
    """Read each payload as if it were exactly one frame, and say which are."""
    count = len(starts)
    base = np.zeros(count, np.int64)
    timestamp_us = np.zeros(count, np.int64)
    samples = np.zeros(count, np.int64)
    regular = np.zeros(count, np.bool_)
    for i in range(count):
        at = starts[i]
        if lengths[i] < _FEWEST_BYTES or residues[i] != 0:
            continue
        if buffer[at] != 0x7C or buffer[at + 1] != 0x1E:
            continue
        length = np.int64(buffer[at + 2]) | np.int64(buffer[at + 3]) << 8
        if length + OVERHEAD_BYTES != lengths[i]:
            continue
        number = np.int64(0)
        for k in range(4):
            number |= np.int64(buffer[at + 4 + k]) << (8 * k)
        time = np.uint64(0)
        for k in range(8):
            time |= np.uint64(buffer[at + 8 + k]) << np.uint64(8 * k)
        declared = np.int64(buffer[at + 16]) | np.int64(buffer[at + 17]) << 8
        if _PAYLOAD_HEADER_BYTES + SAMPLE_BYTES * declared > length:
            continue
        base[i] = number
        timestamp_us[i] = np.int64(min(time, np.uint64(_LARGEST_TIMESTAMP_US)))
        samples[i] = declared
        regular[i] = True
    return base, timestamp_us, samples, regular
