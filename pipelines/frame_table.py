"""All frames of a batch of payloads as columns, found without a Python loop over good frames."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from fastcrc.crc16 import arc

from pipelines.compiled import compiled
from pipelines.frame_format import OVERHEAD_BYTES, PAYLOAD_HEADER, SAMPLE_BYTES, SAMPLES_AT
from pipelines.frame_scanner import DeadSpan, scan_payload
from pipelines.json_payload.forms import is_json
from pipelines.payload_scanner import resampled

Int64s = npt.NDArray[np.int64]

_PAYLOAD_HEADER_BYTES = PAYLOAD_HEADER.size
_FEWEST_BYTES = OVERHEAD_BYTES + _PAYLOAD_HEADER_BYTES
_LARGEST_TIMESTAMP_US = 2**62
"""Timestamps are held as int64 with room to add to them; a larger one is implausible anyway."""


class FrameTable(NamedTuple):
    """The ``m`` good frames in ``n`` payloads, in the order received.

    buffer:       ``(bytes,) uint8``, all payloads joined, then the samples made of JSON payloads
    first_frame:  ``(n + 1,)``: the frames of payload i are first_frame[i]:first_frame[i + 1]
    start:        ``(m,)`` where each frame begins in ``buffer``; a JSON payload is one frame
    end:          ``(m,)`` where it ends
    read_at:      ``(m,)`` where to read it as a frame: ``start``, but for JSON payloads
    base:         ``(m,)`` base sample number
    timestamp_us: ``(m,)`` microseconds since the epoch, at most 2**62
    samples:      ``(m,)`` sample count
    payload_start: ``(n,)`` where each payload begins in ``buffer``
    dead:         the dead spans by payload: (payload's index, span)
    clipped:      samples of JSON payloads that hold a value beyond a frame's range
    """

    buffer: npt.NDArray[np.uint8]
    first_frame: Int64s
    start: Int64s
    end: Int64s
    read_at: Int64s
    base: Int64s
    timestamp_us: Int64s
    samples: Int64s
    payload_start: Int64s
    dead: list[tuple[int, DeadSpan]]
    clipped: int = 0


def tabulate(payloads: Sequence[bytes], sample_rate_hz: float) -> FrameTable:
    """Find the frames of ``payloads``; equal to ``scan_any`` of each."""
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
            buffer, first_frame, starts, ends, starts, base, timestamp_us, samples, starts, []
        )
    columns = (starts, starts + lengths, starts, base, timestamp_us, samples)
    return _with_irregular(payloads, buffer, columns, regular, sample_rate_hz)


def _with_irregular(
    payloads: Sequence[bytes],
    buffer: npt.NDArray[np.uint8],
    regular_columns: tuple[Int64s, ...],
    regular: npt.NDArray[np.bool_],
    sample_rate_hz: float,
) -> FrameTable:
    """Scan the payloads that are not exactly one good frame, and merge the rest around them."""
    starts = regular_columns[0]
    frames_in = np.ones(len(payloads), np.int64)
    scanned: list[tuple[int, list[tuple[int, ...]]]] = []
    dead: list[tuple[int, DeadSpan]] = []
    made = _MadeOfJson(len(buffer))
    for i in np.flatnonzero(~regular).tolist():
        if is_json(payloads[i]):
            rows, dead_spans = made.frame(payloads[i], int(starts[i]), sample_rate_hz)
        else:
            rows, dead_spans = _frames(payloads[i], int(starts[i]))
        frames_in[i] = len(rows)
        scanned.append((i, rows))
        dead.extend((i, span) for span in dead_spans)
    first_frame = np.zeros(len(payloads) + 1, np.int64)
    np.cumsum(frames_in, out=first_frame[1:])
    columns = np.empty((len(regular_columns), int(first_frame[-1])), np.int64)
    at_regular = first_frame[:-1][regular]
    for row, column in enumerate(regular_columns):
        columns[row, at_regular] = column[regular]
    for i, rows in scanned:
        if rows:
            columns[:, first_frame[i] : first_frame[i + 1]] = np.array(rows, np.int64).T
    buffer = made.behind(buffer)
    start, end, read_at, base, timestamp_us, samples = columns
    return FrameTable(
        buffer,
        first_frame,
        start,
        end,
        read_at,
        base,
        timestamp_us,
        samples,
        starts,
        dead,
        made.clipped,
    )


def _frames(payload: bytes, at: int) -> tuple[list[tuple[int, ...]], list[DeadSpan]]:
    """Return the rows and dead spans of a payload that lies ``at`` in the buffer."""
    spans, dead = scan_payload(payload)
    rows: list[tuple[int, ...]] = [
        (
            at + s.start,
            at + s.end,
            at + s.start,
            s.base_sample_number,
            _bounded(s.timestamp_us),
            s[4],
        )
        for s in spans
    ]
    return rows, dead


class _MadeOfJson:
    """The samples of JSON payloads, which stand behind all payloads in the buffer."""

    def __init__(self, begin: int) -> None:
        self._end = begin
        self._parts: list[bytes] = []
        self.clipped = 0

    def frame(
        self, payload: bytes, at: int, sample_rate_hz: float
    ) -> tuple[list[tuple[int, ...]], list[DeadSpan]]:
        """Return the one row, or dead span, of a JSON payload that lies ``at`` in the buffer."""
        found = resampled(payload, sample_rate_hz)
        if isinstance(found, DeadSpan):
            return [], [found]
        # Samples are read behind a header, which nobody looks at again.
        read_at = self._end - SAMPLES_AT
        self._parts.append(found.data)
        self._end += len(found.data)
        self.clipped += found.clipped
        fields = (found.base_sample_number, found.timestamp_us, found.num_samples)
        return [(at, at + len(payload), read_at, *fields)], []

    def behind(self, buffer: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return the buffer with what was made behind it."""
        if not self._parts:
            return buffer
        return np.concatenate([buffer, np.frombuffer(b"".join(self._parts), np.uint8)])


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
