"""Records of one partition as a reader of Kafka gets them."""

from collections.abc import Iterator, Sequence

from confluent_kafka import Message

from pipelines import topics
from pipelines.records import Headers
from tests.unit.frame_building import Record

Stored = tuple[bytes | None, bytes, Headers]
"""Key, value and headers of a record of an output topic; its place in the list is its offset."""


def raw_messages(raw: Sequence[Record], partition: int, read: int) -> Iterator[list[Message]]:
    """Yield the records of imu-data-all, ``read`` at a time."""
    messages = [
        Message(
            topic=topics.RAW,
            partition=partition,
            offset=offset,
            key=key,  # type: ignore[arg-type]
            value=value,
            headers=[("received-us", b"%d" % received_us)],
        )
        for offset, (key, value, received_us) in enumerate(raw)
    ]
    for first in range(0, len(messages), read):
        yield messages[first : first + read]


def stored_messages(
    topic: str, records: Sequence[Stored], partition: int
) -> Iterator[list[Message]]:
    """Yield the records of an output topic, one at a time."""
    for offset, (key, value, headers) in enumerate(records):
        yield [
            Message(
                topic=topic,
                partition=partition,
                offset=offset,
                key=key,  # type: ignore[arg-type]
                value=value,
                headers=list(headers),
            )
        ]
