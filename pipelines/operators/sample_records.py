"""Records of sensor-data-transformed as columns, from the poll to the model."""

from typing import Any, NamedTuple

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
    features: for each feature the parts of its column
    """

    samples: Samples
    streams: list[pa.RecordBatch | None]
    refused: list[tuple[int, str]]
    features: list[list[npt.NDArray[Any]]]


def read_samples(
    state: InferenceState, batch: InputBatch, features: tuple[str, ...]
) -> SampleRecords:
    """Read a batch; what is no Arrow stream of the schema is ``refused``, not raised."""
    count = len(batch.values)
    columns = [SCHEMA.get_field_index(name) for name in (*NUMBERS, *features)]
    tick = np.zeros(count, np.bool_)
    rows = np.zeros(count + 1, np.int64)
    streams: list[pa.RecordBatch | None] = [None] * count
    refused: list[tuple[int, str]] = []
    sensors: list[npt.NDArray[np.int64]] = [np.empty(0, np.int64)]
    parts: list[list[npt.NDArray[Any]]] = []
    for record, value in enumerate(batch.values):
        try:
            if value[:1] == b"{":
                decode_tick(value)
                tick[record] = True
                continue
            stream, names, indices, values = _read_stream(value, columns)
        except DataError as error:
            refused.append((record, str(error)))
            continue
        known = state.rows
        numbers = [known[name] if name in known else state.row(name) for name in names]
        sensors.append(np.array(numbers, np.int64)[indices])
        rows[record + 1] = len(indices)
        streams[record] = stream
        parts.append(values)
    joined = list(map(list, zip(*parts, strict=True))) or [[] for _ in columns]
    boot, sample_index, timestamp_us = map(_concatenated, NUMBERS, joined)
    return SampleRecords(
        Samples(
            tick=tick,
            offset=batch.offsets,
            first_row=np.cumsum(rows),
            sensor=np.concatenate(sensors),
            boot=boot,
            sample_index=sample_index,
            timestamp_us=timestamp_us,
        ),
        streams,
        refused,
        joined[len(NUMBERS) :],
    )


def _read_stream(
    value: bytes, columns: list[int]
) -> tuple[pa.RecordBatch, list[str], npt.NDArray[np.int32], list[npt.NDArray[Any]]]:
    """Return a record's samples: all of them, the sensor ids, which each has, these columns.

    The first two columns are boot and sample number.

    Raises:
        DataError: it is no Arrow stream of the schema, or holds numbers that no sample has.
    """
    try:
        reader = pa.ipc.open_stream(value)
        if not reader.schema.equals(SCHEMA):
            raise DataError("the Arrow stream has another schema than that of samples")
        batches = list(reader)
        for batch in batches:
            batch.validate(full=True)
        if len(batches) != 1:
            whole = pa.Table.from_batches(batches, SCHEMA).combine_chunks()
            batches = whole.to_batches() or SCHEMA.empty_table().to_batches()
        batch = batches[0]
        sensor = batch.column(0)
        names, indices = sensor.dictionary.to_pylist(), sensor.indices.to_numpy()
        # It raises where there are nulls.
        values = [batch.column(at).to_numpy() for at in columns]
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"no Arrow stream of samples: {str(error).splitlines()[0]}") from None
    if any(name is None or not 0 < len(name) <= MAX_SENSOR_ID_CHARACTERS for name in names):
        raise DataError("the Arrow stream has a sensor id that no sensor can have")
    if len(indices) and min(values[0].min(), values[1].min()) < 0:
        raise DataError("the Arrow stream holds a negative boot or sample number")
    return batch, names, indices, values


def _concatenated(name: str, parts: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    return np.concatenate([np.empty(0, SCHEMA.field(name).type.to_pandas_dtype()), *parts])
