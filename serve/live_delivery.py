"""Which watch is sent what of a record. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pipelines import topics
from serve.live_messages import (
    AGGREGATED,
    TRANSFORMED,
    Source,
    message_head,
    raw_columns,
    rows_by_sensor,
    window_columns,
)
from serve.live_watch import Watch

Watched = Mapping[str, Sequence[Watch]]
"""Watches by sensor id."""

Delivery = tuple[Watch, str]
"""A watch, and the head of a message for all its clients."""

_ARROW = topics.ARROW_TYPE.encode()


class Record(NamedTuple):
    """A record as it was read."""

    source: Source
    key: bytes | None
    value: bytes
    headers: Mapping[str, bytes]


def deliveries(record: Record, watched: Watched) -> Iterator[Delivery]:
    """Make the messages of one record, once for each watch of its sensors."""
    if record.source.stream == TRANSFORMED:
        yield from _transformed(record, watched)
        return
    sensor_id = (record.key or b"").decode()
    watches = watched.get(sensor_id)
    if not watches:
        return
    if record.source.stream == AGGREGATED:
        columns = window_columns(record.value)
    else:
        received_us = int(record.headers["received-us"])
        columns = raw_columns(record.value, record.source.offset, received_us)
    if any(columns.values()):
        head = message_head(record.source, sensor_id, columns)
        yield from ((watch, head) for watch in watches)


def _transformed(record: Record, watched: Watched) -> Iterator[Delivery]:
    if not watched or record.headers.get(topics.CONTENT_TYPE) != _ARROW:
        return
    for sensor_id, rows in rows_by_sensor(record.value, watched):
        for watch in watched[sensor_id]:
            kept = rows if watch.thinner is None else watch.thinner.thin(rows)
            if len(kept["timestamp_us"]):
                yield watch, message_head(record.source, sensor_id, kept)
