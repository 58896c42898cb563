"""Records of a topic as the rows that the archive must hold of them, decoded once more.

Written from the schemas, without the archive's own code, so that it is not its own judge. Pure.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa

from pipelines import topics
from pipelines.archive.schemas import SCHEMAS
from pipelines.errors import DataError
from pipelines.verify.plain_json import begin_us_of, looks_like_json
from pipelines.verify.plain_scanner import scan

_LARGEST_US = 2**62
_NESTED = ("acc_mag", "gyro_mag", "model")


class TopicRecord(NamedTuple):
    """A committed record of a topic; ``time_us`` is Kafka's time of it."""

    offset: int
    key: bytes | None
    value: bytes
    headers: Mapping[str, bytes]
    time_us: int


def expected_rows(topic: str, records: Sequence[TopicRecord]) -> pa.Table:
    """Return the rows of these records, with the columns of the archive.

    Raises:
        DataError: a record is not what its topic holds.
    """
    tick = topics.TICK_TYPE.encode()
    if topic != topics.RAW:
        records = [r for r in records if r.key or r.headers.get(topics.CONTENT_TYPE) != tick]
    try:
        if topic in (topics.TRANSFORMED, topics.PREDICTIONS):
            return _samples(topic, records)
        make = {
            topics.RAW: _raw,
            topics.AGGREGATED: _json,
            topics.SESSIONS: _json,
            topics.DEAD_LETTERS: _letter,
        }[topic]
        return pa.Table.from_pylist([make(record) for record in records], SCHEMAS[topic])
    except (pa.ArrowInvalid, orjson.JSONDecodeError, KeyError, TypeError) as error:
        first, last = records[0].offset, records[-1].offset
        raise DataError(
            f"a record of {topic} between offsets {first} and {last} cannot be read ({error!r})"
        ) from None


def _raw(record: TopicRecord) -> dict[str, Any]:
    received = record.headers.get("received-us", b"")
    received_us = int(received) if received.isdigit() and len(received) <= 18 else record.time_us
    time_us = None if record.key is None else _device_time_us(record.value)
    return {
        "sensor_id": _text(record.key),
        "timestamp_us": received_us if time_us is None else min(time_us, _LARGEST_US),
        "received_us": received_us,
        "value": record.value,
        "offset": record.offset,
    }


def _device_time_us(payload: bytes) -> int | None:
    if looks_like_json(payload):
        return begin_us_of(payload)
    good = [piece for piece in scan(payload) if piece.reason is None]
    return good[0].timestamp_us if good else None


def _samples(topic: str, records: Sequence[TopicRecord]) -> pa.Table:
    tables = [SCHEMAS[topic].empty_table()]
    for record in records:
        found = pa.ipc.open_stream(record.value).read_all()
        columns = {name: found.column(name) for name in found.column_names}
        columns["sensor_id"] = columns["sensor_id"].cast(pa.string())
        constant: dict[str, Any] = {"offset": record.offset}
        if topic == topics.PREDICTIONS:
            for part in ("name", "version", "sha256"):
                constant[f"model_{part}"] = found.schema.metadata[f"model-{part}".encode()].decode()
        for name, value in constant.items():
            columns[name] = pa.repeat(value, len(found))
        names = SCHEMAS[topic].names
        tables.append(pa.table({name: columns[name] for name in names}).cast(SCHEMAS[topic]))
    return pa.concat_tables(tables)


def _json(record: TopicRecord) -> dict[str, Any]:
    fields: dict[str, Any] = orjson.loads(record.value)
    for nested in _NESTED:
        for name, value in fields.pop(nested, {}).items():
            fields[f"{nested}_{name}"] = value
    return {**fields, "offset": record.offset}


def _letter(record: TopicRecord) -> dict[str, Any]:
    headers = record.headers
    failed_us = headers.get("failed-us", b"")
    return {
        "sensor_id": _text(record.key),
        "failed_us": int(failed_us) if failed_us.isdigit() else record.time_us,
        "reason": _text(headers.get("reason", b"")),
        "detail": _text(headers.get("detail")),
        "pipeline": _text(headers.get("pipeline")),
        "source": _text(headers.get("source")),
        "byte_range": _text(headers.get("byte-range")),
        "code_version": _text(headers.get("code-version")),
        "value": record.value,
        "offset": record.offset,
    }


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else str(raw, "utf-8", "replace")


def hours_outside(times_us: pa.ChunkedArray, hour: int) -> int:
    """Return how many times do not lie in this hour since the epoch."""
    times = times_us.to_numpy()
    return int(np.count_nonzero(times // 3_600_000_000 != hour))
