"""What a WebSocket client is shown of a record of Kafka: columns of equal length. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from pipelines.frame_scanner import scan_payload
from pipelines.json_payload.forms import InvalidPayloadError, is_json, read_json
from pipelines.predictions import model_of

_NESTED = ("acc_mag", "gyro_mag", "model")
_US_PER_MS = 1_000

ArrayColumns = dict[str, npt.NDArray[Any]]


class SensorRows(NamedTuple):
    """A sensor's rows in one record, each column ``(n,)`` and in the order of the record."""

    sensor_id: str
    columns: ArrayColumns


def rows_by_sensor(value: bytes, watched: Mapping[Any, object]) -> Iterator[SensorRows]:
    """Give the rows of the watched sensors in one Arrow record, once for each sensor.

    What nobody watches is never decoded: Arrow reads in place.
    """
    found: dict[str, list[ArrayColumns]] = {}
    with pa.ipc.open_stream(value) as stream:
        for batch in stream:
            ids = batch.column(0)
            codes = ids.indices.to_numpy(zero_copy_only=False)
            for code, sensor_id in enumerate(ids.dictionary.to_pylist()):
                if sensor_id in watched:
                    rows = np.flatnonzero(codes == code)
                    if len(rows):
                        found.setdefault(sensor_id, []).append(_columns(batch, rows))
    for sensor_id, parts in found.items():
        yield SensorRows(sensor_id, parts[0] if len(parts) == 1 else _joined(parts))


def _columns(batch: pa.RecordBatch, rows: npt.NDArray[np.int64]) -> ArrayColumns:
    first, last = int(rows[0]), int(rows[-1])
    # The rows of one frame are contiguous; of several frames they need not be.
    chosen = slice(first, last + 1) if last - first + 1 == len(rows) else rows
    return {
        name: np.ascontiguousarray(column.to_numpy(zero_copy_only=False)[chosen])
        for name, column in zip(batch.schema.names[1:], batch.columns[1:], strict=True)
    }


def _joined(parts: list[ArrayColumns]) -> ArrayColumns:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def model_columns(value: bytes) -> dict[str, str]:
    """Return name, version and SHA-256 of the model that made a record of predictions.

    Raises:
        KeyError: its schema names none.
    """
    with pa.ipc.open_stream(value) as stream:
        return model_of(stream.schema.metadata)._asdict()


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
    """Return a window, or a session's event, as columns of one row.

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


def alarm_columns(key: bytes, value: bytes | None, timestamp_ms: int) -> dict[str, list[Any]]:
    """Return an alarm as columns of one row: ``raised``, or ``cleared`` when its slot runs again.

    Of any other record of pipeline-control there are no columns.
    """
    kind, _, rest = key.decode().partition("/")
    pipeline, _, slot = rest.rpartition("/")
    if kind != "alarm":
        return {}
    alarm = {} if value is None else orjson.loads(value)
    return {
        "pipeline": [pipeline],
        "slot": [int(slot)],
        "state": ["cleared" if value is None else "raised"],
        "generation": [alarm.get("generation")],
        "message": [alarm.get("message")],
        "at_us": [alarm.get("at_us", timestamp_ms * _US_PER_MS)],
    }
