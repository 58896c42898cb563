"""Records of a topic -> the rows of its Parquet files, as one Arrow table. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import pyarrow as pa

from pipelines import topics
from pipelines.archive.letter_rows import letter_rows
from pipelines.archive.raw_rows import raw_rows
from pipelines.archive.record import Record
from pipelines.archive.sample_rows import prediction_rows, transformed_rows
from pipelines.archive.session_rows import session_rows
from pipelines.archive.window_rows import window_rows

Decode = Callable[[Sequence[Record]], pa.Table]

DECODERS: Final[Mapping[str, Decode]] = {
    topics.RAW: raw_rows,
    topics.TRANSFORMED: transformed_rows,
    topics.AGGREGATED: window_rows,
    topics.PREDICTIONS: prediction_rows,
    topics.SESSIONS: session_rows,
    topics.DEAD_LETTERS: letter_rows,
}


def rows_of(topic: str, records: Sequence[Record]) -> pa.Table:
    """Return the rows that consecutive records of a topic make, in the records' order.

    The columns are those of :data:`pipelines.archive.schemas.SCHEMAS`, texts that repeat as
    dictionaries. Records without rows (ticks of derived topics) must not be among them.

    Raises:
        UnreadableRecordError: a record is not what its topic holds.
    """
    return DECODERS[topic](records)


def has_rows(topic: str, record: Record) -> bool:
    """Whether a record makes rows: ticks do so in imu-data-all only, which keeps every record."""
    return topic == topics.RAW or not record.is_tick
