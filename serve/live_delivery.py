"""Which watch is sent what of a record. Pure."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pipelines import topics
from serve.live_encoding import Columns, Facts, SharedMessage, Source, encode
from serve.live_messages import (
    alarm_columns,
    model_columns,
    raw_columns,
    rows_by_sensor,
    window_columns,
)
from serve.live_streams import ALARMS, PREDICTIONS, RAW, TRANSFORMED
from serve.live_watch import Watch, Watched

_ARROW = topics.ARROW_TYPE.encode()
_TICK = topics.TICK_TYPE.encode()


class Record(NamedTuple):
    """A record as it was read; ``timestamp_ms`` since the epoch."""

    source: Source
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]
    timestamp_ms: int = 0


class Delivery(NamedTuple):
    """One message for all clients of a watch: what ``watch`` is sent of a record."""

    watch: Watch
    source: Source
    sensor_id: str | None
    message: SharedMessage

    def deliver(self) -> None:
        """Give it to them."""
        self.watch.deliver(self.source, self.sensor_id, self.message)


def deliveries(record: Record, watched: Watched) -> Iterator[Delivery]:
    """Make the messages of one record, at most one for each watch."""
    if not watched or record.headers.get(topics.CONTENT_TYPE) == _TICK:
        return
    if record.source.stream in (TRANSFORMED, PREDICTIONS):
        yield from _samples(record, watched)
        return
    sensor_id = None
    if record.source.stream != ALARMS:
        sensor_id = (record.key or b"").decode()
    watches = watched.get(None, ())
    if sensor_id is not None:
        watches = (*watched.get(sensor_id, ()), *watches)
    if not watches:
        return
    columns = _columns(record)
    if any(columns.values()):
        yield from _encoded(record.source, Facts(sensor_id), columns, watches)


def _columns(record: Record) -> Columns:
    if record.source.stream == ALARMS:
        return alarm_columns(record.key or b"", record.value, record.timestamp_ms)
    if record.value is None:
        return {}
    if record.source.stream == RAW:
        received_us = int(record.headers["received-us"])
        return raw_columns(record.value, record.source.offset, received_us)
    return window_columns(record.value)


def _samples(record: Record, watched: Watched) -> Iterator[Delivery]:
    if record.value is None or record.headers.get(topics.CONTENT_TYPE) != _ARROW:
        return
    model = None
    for sensor_id, rows in rows_by_sensor(record.value, watched):
        if record.source.stream == PREDICTIONS and model is None:
            model = model_columns(record.value)
        facts = Facts(sensor_id, model)
        whole = [watch for watch in watched[sensor_id] if watch.thinner is None]
        yield from _encoded(record.source, facts, rows, whole)
        for watch in watched[sensor_id]:
            if watch.thinner is not None:
                kept = watch.thinner.thin(rows)
                if len(kept["timestamp_us"]):
                    yield from _encoded(record.source, facts, kept, [watch])


def _encoded(
    source: Source, facts: Facts, columns: Columns, watches: list[Watch] | tuple[Watch, ...]
) -> Iterator[Delivery]:
    """Encode once for each format."""
    made: dict[str, SharedMessage] = {}
    for watch in watches:
        if watch.format not in made:
            made[watch.format] = encode(source, facts, columns, watch.format)
        yield Delivery(watch, source, facts.sensor_id, made[watch.format])
