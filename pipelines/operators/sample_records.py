"""Records of sensor-data-transformed as columns, from the poll to the model."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.errors import DataError
from pipelines.operators.inference_layout import Samples
from pipelines.operators.inference_state import InferenceState
from pipelines.records import InputBatch
from pipelines.sensor_topic import MAX_SENSOR_ID_CHARACTERS
from pipelines.ticks import decode_tick
from pipelines.transformed import SCHEMA

NUMBERS = ("boot", "sample_index", "timestamp_us")


class SampleRecords(NamedTuple):
    """A batch of one partition.

    samples:  its samples' numbers
    streams:  ``n`` record batches; None for a record that holds no samples
    refused:  records that are neither samples nor a tick, each with why
    features: ``(m,)`` each
    """

    samples: Samples
    streams: list[pa.RecordBatch | None]
    refused: list[tuple[int, str]]
    features: list[npt.NDArray[Any]]


def read_samples(
    state: InferenceState, batch: InputBatch, features: tuple[str, ...]
) -> SampleRecords:
    """Read a batch; what is no Arrow stream of the schema is ``refused``, not raised."""
    tick = np.zeros(len(batch.values), np.bool_)
    streams: list[pa.RecordBatch | None] = [None] * len(batch.values)
    refused: list[tuple[int, str]] = []
    for record, value in enumerate(batch.values):
        try:
            if value[:1] == b"{":
                decode_tick(value)
                tick[record] = True
            else:
                streams[record] = _read_stream(value)
        except DataError as error:
            refused.append((record, str(error)))
    columns = ("sensor_id", *NUMBERS, *features)
    joined = _joined(streams, columns)
    if _fault(joined) is not None:
        # One of them must be at fault: look at each alone.
        for record, stream in enumerate(streams):
            fault = None if stream is None else _fault(_joined([stream], columns))
            if fault is not None:
                refused.append((record, fault))
                streams[record] = None
        joined = _joined(streams, columns)
    rows = [0 if stream is None else stream.num_rows for stream in streams]
    ids = joined.column(0).chunk(0)
    numbers = np.array([state.row(name) for name in ids.dictionary.to_pylist()], np.int64)
    values = {name: joined[name].chunk(0).to_numpy() for name in (*NUMBERS, *features)}
    return SampleRecords(
        Samples(
            tick=tick,
            offset=batch.offsets,
            first_row=np.cumsum([0, *rows]),
            sensor=numbers[ids.indices.to_numpy()],
            **{name: _own(values[name]) for name in NUMBERS},
        ),
        streams,
        refused,
        [values[name] for name in features],
    )


def _read_stream(value: bytes) -> pa.RecordBatch:
    """Return a record's samples.

    Raises:
        DataError: it is no Arrow stream of the schema.
    """
    try:
        reader = pa.ipc.open_stream(pa.BufferReader(value))
        if not reader.schema.equals(SCHEMA):
            raise DataError("the Arrow stream has another schema than that of samples")
        batches = list(reader)
        for batch in batches:
            batch.validate(full=True)
        if len(batches) == 1:
            return batches[0]
        table = pa.Table.from_batches(batches, SCHEMA).unify_dictionaries().combine_chunks()
        return (table.to_batches() or [_NONE])[0]
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"no Arrow stream of samples: {str(error).splitlines()[0]}") from None


_NONE: Final = pa.RecordBatch.from_arrays([pa.array([], f.type) for f in SCHEMA], schema=SCHEMA)


def _joined(streams: Sequence[pa.RecordBatch | None], columns: Sequence[str]) -> pa.Table:
    """Return these columns of all samples as one table of one chunk.

    The sensor ids stand in one dictionary. Taken apart one by one, the columns of small records
    cost more than the model.
    """
    held = [stream for stream in streams if stream is not None and stream.num_rows]
    table = pa.Table.from_batches(held or [_NONE], SCHEMA).select(list(dict.fromkeys(columns)))
    return table.unify_dictionaries().combine_chunks()


def _fault(table: pa.Table) -> str | None:
    """Return why this cannot be samples; None where it can."""
    if any(column.null_count for column in table.columns):
        return "the Arrow stream holds nulls"
    names = table.column(0).chunk(0).dictionary.to_pylist()
    if any(name is None or not 0 < len(name) <= MAX_SENSOR_ID_CHARACTERS for name in names):
        return "the Arrow stream has a sensor id that no sensor can have"
    for name in ("boot", "sample_index"):
        if table[name].chunk(0).to_numpy().min(initial=0) < 0:
            return f"the Arrow stream holds a negative {name}"
    return None


def _own(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a copy that can be written to, as the compiled parts were compiled for."""
    return values.copy()
