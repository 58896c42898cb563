"""The replay of one partition: records in, chunks of rows out, and a state to go on from. Pure."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import pyarrow as pa

from pipelines import topics
from pipelines.backfill.chain import Chain, SavedOperator
from pipelines.backfill.exactness import has_open_windows, settle_us, settled
from pipelines.backfill.output_tables import tables_of
from pipelines.backfill.plan import PartitionPlan
from pipelines.backfill.raw_records import pieces
from pipelines.backfill.time_span import TimeSpan
from pipelines.batching import split
from pipelines.models.model_files import Model
from pipelines.records import InputBatch, Output
from pipelines.settings import Settings


class Saved(msgspec.Struct, frozen=True):
    """A replay between two chunks: all that a later process needs to go on with the same result.

    next_offset: where the next chunk begins
    done:        whether there is none
    records:     records of imu-data-all taken in, ticks included
    rows:        rows written, by topic
    known:       sensors heard; None before the span has begun
    exact_from_us: sensors that are exact only from then on, or (None) from their next restart
    pipelines:   the operators' states
    """

    next_offset: int
    done: bool
    records: int
    rows: dict[str, int]
    known: list[str] | None
    exact_from_us: dict[str, int | None]
    pipelines: dict[str, SavedOperator]


class Chunk(NamedTuple):
    """Rows by topic that offsets [start, end) made, and the replay as it is behind them."""

    start: int
    end: int
    tables: dict[str, pa.Table]
    saved: Saved


class Replay:
    """Steps the operators over a partition's records and cuts what comes out into chunks.

    Where a chunk ends depends on the records alone, so a replay that goes on from `Saved` makes
    the same chunks as one that was never interrupted.
    """

    def __init__(
        self,
        plan: PartitionPlan,
        span: TimeSpan,
        pipelines: Sequence[str],
        settings: Settings,
        code_version: str,
        saved: Saved | None = None,
        model: Model | None = None,
    ) -> None:
        self._plan = plan
        self._span = span
        self._settings = settings
        if saved is None:
            saved = Saved(plan.start, False, 0, {}, None, {}, {})
        self._chain = Chain(
            pipelines, plan.partition, settings, code_version, saved.pipelines, model
        )
        self._outputs: list[Output] = []
        self._bytes = 0
        self._saved = saved
        self._records = saved.records
        self._known = None if saved.known is None else set(saved.known)
        self._exact_from_us = dict(saved.exact_from_us)

    @property
    def saved(self) -> Saved:
        """The replay behind the last chunk."""
        return self._saved

    def chunks(self, records: Iterator[InputBatch]) -> Iterator[Chunk]:
        """Take in the records from `Saved.next_offset` on; yield the chunks."""
        for batch in records:
            for piece in self._cut(batch):
                self._step(piece)
                end = int(piece.offsets[-1]) + 1
                if end >= self._plan.emit_end and not has_open_windows(
                    self._chain.sensors, *self._span
                ):
                    yield self._chunk(end, done=True)
                    return
                if self._bytes >= self._settings.backfill.chunk_bytes:
                    yield self._chunk(end, done=False)
        yield self._chunk(self._plan.end, done=True)

    def _cut(self, batch: InputBatch) -> Iterator[InputBatch]:
        """Cut a batch where the span begins and may end, and into pieces of bounded size."""
        rest: InputBatch | None = batch
        for at in (self._plan.emit_start, self._plan.emit_end):
            if rest is None:
                return
            before, rest = split(rest, at)
            if before is not None:
                yield from pieces(before, self._settings.backfill.step_records)
        if rest is not None:
            yield from pieces(rest, self._settings.backfill.step_records)

    def _step(self, piece: InputBatch) -> None:
        if self._known is None and int(piece.offsets[0]) >= self._plan.emit_start:
            self._begin_span()
        self._outputs += self._chain.step(piece)
        self._records += len(piece.values)
        self._bytes += sum(map(len, piece.values))

    def _begin_span(self) -> None:
        if self._plan.whole:
            self._known = set()
            return
        now = settled(self._chain.sensors, self._settings.processing)
        self._known = set(now.known)
        self._exact_from_us = dict(now.exact_from_us)

    def _chunk(self, end: int, done: bool) -> Chunk:
        tables = tables_of(self._outputs, self._span)
        if not self._plan.whole and self._known is not None and topics.TRANSFORMED in tables:
            self._note_new_sensors(self._known, tables[topics.TRANSFORMED])
        rows = dict(self._saved.rows)
        for topic, table in tables.items():
            rows[topic] = rows.get(topic, 0) + len(table)
        start = self._saved.next_offset
        self._saved = Saved(
            next_offset=end,
            done=done,
            records=self._records,
            rows=rows,
            known=None if self._known is None else sorted(self._known),
            exact_from_us=dict(sorted(self._exact_from_us.items())),
            pipelines={} if done else self._chain.save(),
        )
        self._outputs = []
        self._bytes = 0
        return Chunk(start, end, tables, self._saved)

    def _note_new_sensors(self, known: set[str], samples: pa.Table) -> None:
        """Say of sensors first heard within the span from when they are exact."""
        first = samples.group_by("sensor_id").aggregate([("timestamp_us", "min")])
        wait_us = settle_us(self._settings.processing)
        for sensor_id, first_us in zip(
            first["sensor_id"].to_pylist(), first["timestamp_us_min"].to_pylist(), strict=True
        ):
            if sensor_id not in known:
                known.add(sensor_id)
                self._exact_from_us[sensor_id] = first_us + wait_us
