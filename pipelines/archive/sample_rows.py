"""Rows of sensor-data-transformed and sensor-data-predictions: one for each sample."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipelines import predictions, transformed
from pipelines.archive.record import Record, UnreadableRecordError
from pipelines.predictions import ModelId, model_of

_OFFSET = pa.field("offset", pa.int64(), nullable=False)


def transformed_rows(records: Sequence[Record]) -> pa.Table:
    """Return the samples; raises UnreadableRecordError."""
    return _with_offsets(records, [_read(record, transformed.SCHEMA) for record in records])


def prediction_rows(records: Sequence[Record]) -> pa.Table:
    """Return the predictions, each with its model; raises UnreadableRecordError."""
    return _with_offsets(records, [_predictions(record) for record in records])


def _predictions(record: Record) -> pa.Table:
    table = _read(record, predictions.SCHEMA)
    try:
        model = model_of(table.schema.metadata)
    except KeyError as error:
        raise UnreadableRecordError(record.offset, f"its schema names no {error}") from None
    for name, value in zip(ModelId._fields, model, strict=True):
        column = pa.DictionaryArray.from_arrays(
            pa.array(np.zeros(len(table), np.int32)), pa.array([value], pa.string())
        )
        field = pa.field(f"model_{name}", column.type, nullable=False)
        table = table.append_column(field, column)
    return table.replace_schema_metadata(None)


def _read(record: Record, schema: pa.Schema) -> pa.Table:
    try:
        with pa.ipc.open_stream(record.value) as reader:
            table = reader.read_all()
    except pa.ArrowInvalid as error:
        raise UnreadableRecordError(record.offset, f"it is no Arrow stream ({error})") from None
    if not table.schema.equals(schema, check_metadata=False):
        found = ", ".join(f"{field.name} {field.type}" for field in table.schema)
        raise UnreadableRecordError(record.offset, f"its columns are {found}")
    return table


def _with_offsets(records: Sequence[Record], tables: list[pa.Table]) -> pa.Table:
    offsets = np.repeat([record.offset for record in records], [len(table) for table in tables])
    table = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
    return table.append_column(_OFFSET, pa.array(offsets.astype(np.int64)))
