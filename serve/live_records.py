"""Records as `live` reads them from Kafka."""

from typing import cast

from confluent_kafka import Message

from serve.live_delivery import Record
from serve.live_encoding import Source
from serve.live_streams import STREAM_OF


def record_of(message: Message) -> Record | None:
    """Return a record; None for what tells of an error or an end."""
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    if message.error() or topic is None or partition is None or offset is None:
        return None
    headers = cast("list[tuple[str, bytes]]", message.headers() or ())
    source = Source(STREAM_OF[topic], partition, offset)
    timestamp_ms = message.timestamp()[1]
    return Record(source, message.key(), message.value(), dict(headers), timestamp_ms)
