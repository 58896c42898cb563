"""What the operators put out, as tables of the archive's schemas. Pure.

There is no output topic behind a backfill: ``offset`` is the offset in imu-data-all of the record
that made the row, which does not depend on how the input is cut into batches.
"""

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipelines import topics
from pipelines.archive.record import Record
from pipelines.archive.rows import rows_of
from pipelines.archive.schemas import TIME_COLUMN
from pipelines.backfill.chain import OFFSET_HEADER, is_tick
from pipelines.backfill.time_span import TimeSpan
from pipelines.records import Output


def tables_of(outputs: Iterable[Output], span: TimeSpan) -> dict[str, pa.Table]:
    """Return the rows of ``outputs`` that lie in the span, by topic and in their order.

    Topics without such rows are left out; ticks have no rows.
    """
    records: dict[str, list[Record]] = {}
    for output in outputs:
        if not is_tick(output):
            records.setdefault(output.topic, []).append(_record(output))
    tables = {topic: _rows(topic, of_topic, span) for topic, of_topic in records.items()}
    return {topic: table for topic, table in tables.items() if len(table)}


def _record(output: Output) -> Record:
    headers = dict(output.headers)
    offset = -1
    if output.topic == topics.DEAD_LETTERS:
        offset = int(headers["source"].rsplit(b"/", 1)[1])
    elif OFFSET_HEADER in headers:
        offset = int(headers[OFFSET_HEADER])
    return Record(offset, output.key, output.value, headers, timestamp_us=0)


def _rows(topic: str, records: list[Record], span: TimeSpan) -> pa.Table:
    table = _within(rows_of(topic, records), TIME_COLUMN[topic], span)
    if topic in (topics.DEAD_LETTERS, topics.PREDICTIONS):
        return table
    if topic == topics.TRANSFORMED:
        offsets = table["raw_offset"]
    else:
        offsets = pc.subtract(table["through_offset"], 1)
    at = table.schema.get_field_index("offset")
    return table.set_column(at, table.schema.field(at), offsets)


def _within(table: pa.Table, time_column: str, span: TimeSpan) -> pa.Table:
    chosen: Any = None
    if span.from_us is not None:
        chosen = pc.greater_equal(table[time_column], span.from_us)
    if span.to_us is not None:
        before = pc.less(table[time_column], span.to_us)
        chosen = before if chosen is None else pc.and_(chosen, before)
    return table if chosen is None else table.filter(chosen)
