"""Rows of dead-letters: one for each letter, whatever headers it lacks."""

from collections.abc import Sequence

import pyarrow as pa

from pipelines.archive.record import Record, text_of
from pipelines.archive.schemas import DEAD_LETTERS

_MAX_DIGITS = 18
_HEADER_OF = {
    "detail": "detail",
    "pipeline": "pipeline",
    "source": "source",
    "byte_range": "byte-range",
    "code_version": "code-version",
}


def letter_rows(records: Sequence[Record]) -> pa.Table:
    """Return the letters; one without ``failed-us`` has the record's own time."""
    return pa.Table.from_pylist([_row(record) for record in records], DEAD_LETTERS)


def _row(record: Record) -> dict[str, object]:
    headers = record.headers
    failed_us = headers.get("failed-us", b"")
    known = failed_us.isdigit() and len(failed_us) <= _MAX_DIGITS
    return {
        "sensor_id": text_of(record.key),
        "failed_us": int(failed_us) if known else record.timestamp_us,
        "reason": text_of(headers.get("reason", b"")),
        **{column: text_of(headers.get(header)) for column, header in _HEADER_OF.items()},
        "value": record.value,
        "offset": record.offset,
    }
