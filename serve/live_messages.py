"""What a WebSocket client is told: the heads of messages, made from records of Kafka.

A head is a message of ``schemas/websocket-message.schema.json`` without ``seq`` and ``dropped``
and without its closing brace; all clients of one stream share it.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from pipelines import topics
from pipelines.frame_scanner import scan_payload
from pipelines.json_payload.forms import InvalidPayloadError, is_json, read_json
from pipelines.transformed import SCHEMA

RAW = "raw"
TRANSFORMED = "transformed"
AGGREGATED = "aggregated"

TOPIC_OF = {
    RAW: topics.RAW,
    TRANSFORMED: topics.TRANSFORMED,
    AGGREGATED: topics.AGGREGATED,
}
STREAM_OF = {topic: stream for stream, topic in TOPIC_OF.items()}

Columns = Mapping[str, Any]
_COLUMNS = SCHEMA.names[1:]
_NESTED = ("acc_mag", "gyro_mag", "model")


class Source(NamedTuple):
    """Where data came from."""

    stream: str
    partition: int
    offset: int


def message_head(source: Source, sensor_id: str, columns: Columns) -> str:
    """Return the head of a message; ``columns`` are lists or arrays of equal length."""
    return orjson.dumps(
        {
            "stream": source.stream,
            "sensor_id": sensor_id,
            "partition": source.partition,
            "offset": source.offset,
            "columns": columns,
        },
        option=orjson.OPT_SERIALIZE_NUMPY,
    )[:-1].decode()


def rows_by_sensor(
    value: bytes, watched: Mapping[str, object]
) -> Iterator[tuple[str, dict[str, npt.NDArray[Any]]]]:
    """Give the rows of the watched sensors in one record of sensor-data-transformed.

    Yields a sensor's id and its columns, each ``(n,)`` and in the order of the record. What
    nobody watches is never decoded: Arrow reads in place.
    """
    with pa.ipc.open_stream(value) as stream:
        for batch in stream:
            ids = batch.column(0)
            codes = ids.indices.to_numpy(zero_copy_only=False)
            for code, sensor_id in enumerate(ids.dictionary.to_pylist()):
                if sensor_id in watched:
                    rows = np.flatnonzero(codes == code)
                    if len(rows):
                        yield sensor_id, _columns(batch, rows)


def _columns(batch: pa.RecordBatch, rows: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[Any]]:
    first, last = int(rows[0]), int(rows[-1])
    # The rows of one frame are contiguous; of several frames they need not be.
    chosen = slice(first, last + 1) if last - first + 1 == len(rows) else rows
    return {
        name: np.ascontiguousarray(column.to_numpy(zero_copy_only=False)[chosen])
        for name, column in zip(_COLUMNS, batch.columns[1:], strict=True)
    }


def raw_columns(payload: bytes, offset: int, received_us: int) -> dict[str, list[Any]]:
    """Return one row for each good frame of a payload; ``payload_hex`` is that frame's bytes.

    A JSON payload is one row without a sample number, since its readings become samples only later.
    """
    if is_json(payload):
        return _json_columns(payload, offset, received_us)
    frames, _ = scan_payload(payload)
    return {
        "offset": [offset] * len(frames),
        "received_us": [received_us] * len(frames),
        "base_sample_number": [frame.base_sample_number for frame in frames],
        "timestamp_us": [frame.timestamp_us for frame in frames],
        "num_samples": [frame.num_samples for frame in frames],
        "payload_hex": [payload[frame.start : frame.end].hex() for frame in frames],
    }


def _json_columns(payload: bytes, offset: int, received_us: int) -> dict[str, list[Any]]:
    try:
        readings = [read_json(payload)]
    except InvalidPayloadError:
        readings = []
    return {
        "offset": [offset] * len(readings),
        "received_us": [received_us] * len(readings),
        "base_sample_number": [None] * len(readings),
        "timestamp_us": [one.begin_ns // 1000 for one in readings],
        "num_samples": [0 if one.lead is None else len(one.lead.time_ns) for one in readings],
        "payload_hex": [payload.hex()] * len(readings),
    }


def window_columns(value: bytes) -> dict[str, list[Any]]:
    """Return a window as columns of one row.

    What is nested becomes `acc_mag_min`, `model_name` and so on.
    """
    window = orjson.loads(value)
    columns = {}
    for name, field in window.items():
        if name in _NESTED:
            columns.update({f"{name}_{part}": [value] for part, value in field.items()})
        elif name != "sensor_id":
            columns[name] = [field]
    return columns
