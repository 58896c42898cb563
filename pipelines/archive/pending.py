"""What of one partition of a topic waits to be written, and when it is due. Pure."""

from collections.abc import Sequence

import pyarrow as pa

from pipelines.archive.record import Record
from pipelines.archive.rows import has_rows, rows_of
from pipelines.settings import ArchiveSettings
from pipelines.sinks.sink_offsets import Place


class Pending:
    """The range that is being gathered.

    ``start``:    its first offset
    ``position``: the offset after the last that is in it
    ``records``:  records that made rows
    ``rows``, ``bytes``: rows, and bytes in Kafka
    ``pieces``:   the rows, in order
    """

    def __init__(self, place: Place, start: int, position: int | None = None) -> None:
        """Begin a range; offsets from ``start`` to ``position`` are known to have no rows."""
        self.place = place
        self.start = start
        self.position = start if position is None else position
        self.records = 0
        self.rows = 0
        self.bytes = 0
        self.pieces: list[pa.Table] = []
        self._began_s: float | None = None
        self._first_us: int | None = None
        self._last_us = 0

    def add(self, records: Sequence[Record], now_s: float) -> None:
        """Take in consecutive records; ``now_s`` is a clock that is never set.

        Raises:
            UnreadableRecordError: a record is not what its topic holds.
        """
        if self._began_s is None:
            self._began_s = now_s
        self.position = records[-1].offset + 1
        kept = [record for record in records if has_rows(self.place.topic, record)]
        if not kept:
            return
        piece = rows_of(self.place.topic, kept)
        self.pieces.append(piece)
        self.records += len(kept)
        self.rows += len(piece)
        self.bytes += sum(len(record.value) + len(record.key or b"") for record in kept)
        if self._first_us is None:
            self._first_us = kept[0].timestamp_us
        self._last_us = kept[-1].timestamp_us

    def skip_to(self, offset: int, now_s: float) -> None:
        """Take in that no record stands before ``offset``: markers of transactions own offsets.

        That is committed in its time too, as everything is: else a lag of markers would stay.
        """
        if offset > self.position:
            self.position = offset
            if self._began_s is None:
                self._began_s = now_s

    def waited_s(self, now_s: float) -> float:
        """Return how long the record that came first has waited; 0 where there is none."""
        return 0.0 if self._began_s is None else now_s - self._began_s

    def due(self, bounds: ArchiveSettings, now_s: float) -> bool:
        """Whether a bound is reached."""
        if self._began_s is None:
            return False
        span_us = self._last_us - (self._last_us if self._first_us is None else self._first_us)
        return (
            self.rows >= bounds.max_rows
            or self.bytes >= bounds.max_bytes
            or span_us >= bounds.max_record_s * 1_000_000
            or now_s - self._began_s >= bounds.max_staleness_s
        )


def largest_beyond(pending: Sequence[Pending], bound_bytes: int) -> list[Pending]:
    """Return the largest, so many that the others hold no more than half of the bound.

    None while all together are within it.
    """
    left = sum(one.bytes for one in pending)
    if left <= bound_bytes:
        return []
    chosen = []
    for one in sorted(pending, key=lambda one: one.bytes, reverse=True):
        if left <= bound_bytes // 2:
            break
        chosen.append(one)
        left -= one.bytes
    return chosen
