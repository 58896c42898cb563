"""Predictions as records of sensor-data-predictions: Arrow streams of at most 900 kB."""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.predictions import SCHEMA, ModelId
from pipelines.transformed import ID_BYTES, SCHEMA_BYTES, STREAM_BYTES, arrow_array, number_sensors

_ROW_BYTES: Final = 32


class PredictedRows(NamedTuple):
    """Columns of ``n`` predictions; ``sensor`` counts the ids they are encoded with."""

    sensor: npt.NDArray[np.int64]
    boot: npt.NDArray[np.int32]
    sample_index: npt.NDArray[np.int64]
    timestamp_us: npt.NDArray[np.int64]
    velocity: npt.NDArray[np.float32]
    moving_probability: npt.NDArray[np.float32]


def encode_predictions(rows: PredictedRows, ids: list[str], model: ModelId) -> Iterator[pa.Buffer]:
    """Yield predictions of one model as Arrow IPC streams of at most `STREAM_BYTES` each."""
    schema = SCHEMA.with_metadata(model.metadata())
    at_a_time = (STREAM_BYTES - SCHEMA_BYTES) // (_ROW_BYTES + ID_BYTES)
    room = STREAM_BYTES - SCHEMA_BYTES - ID_BYTES * len(ids)
    at_a_time = max(at_a_time, room // _ROW_BYTES)
    for start in range(0, len(rows.sensor), at_a_time):
        part = slice(start, start + at_a_time)
        yield _encode(PredictedRows._make(column[part] for column in rows), ids, schema)


def _encode(rows: PredictedRows, ids: list[str], schema: pa.Schema) -> pa.Buffer:
    index, used = number_sensors(rows.sensor, len(ids))
    names = pa.array([ids[number] for number in used.tolist()], pa.string())
    sensor_ids = pa.DictionaryArray.from_arrays(arrow_array(pa.int32(), index), names, safe=False)
    numbers = (arrow_array(schema.field(i).type, rows[i]) for i in range(1, len(rows)))
    batch = pa.RecordBatch.from_arrays([sensor_ids, *numbers], schema=schema)
    room = pa.allocate_buffer(SCHEMA_BYTES + _ROW_BYTES * len(batch) + ID_BYTES * len(names))
    sink = pa.FixedSizeBufferWriter(room)
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(batch)
    return room.slice(0, sink.tell())
