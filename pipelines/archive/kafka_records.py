"""The records that the archive takes in, as a consumer gives them."""

from collections.abc import Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from pipelines.archive.record import Record
from pipelines.kafka_clients import transient
from pipelines.sinks.sink_offsets import Place

FETCH: dict[str, str | int | float | bool] = {
    # Nobody waits for the archive: fetch much at a time.
    "fetch.min.bytes": 1024 * 1024,
    "fetch.wait.max.ms": 500,
    # The end of a partition is reported with its offset, past the markers of transactions.
    "enable.partition.eof": True,
}
MESSAGES_A_READ = 64
"""Records of up to 1 MB each: what is read at once stays bounded."""

_PARTITION_EOF = -191


class Arrivals:
    """What one read gave of each place: its records, in order, and the end it has come to."""

    def __init__(self) -> None:
        self.records: dict[Place, list[Record]] = {}
        self.ends: dict[Place, int] = {}
        self.count = 0
        self.bytes = 0

    def add(self, messages: Sequence[Message]) -> None:
        """Take in messages; raises KafkaException for an error that the client cannot mend."""
        for message in messages:
            error = message.error()
            if error is None:
                record = _record(message)
                self.records.setdefault(_place(message), []).append(record)
                self.count += 1
                self.bytes += len(record.value)
            elif error.code() == _PARTITION_EOF:
                self.ends[_place(message)] = message.offset() or 0
            elif not transient(error):
                raise KafkaException(error)


def read_range(consumer: Consumer, place: Place, start: int, end: int, wait_s: float) -> Arrivals:
    """Read all committed records of ``place`` from ``start`` up to, not with, ``end``.

    The consumer's assignment is another afterwards.

    Raises:
        KafkaException: an error that the client cannot mend, or nothing came for ``wait_s``.
    """
    consumer.assign([TopicPartition(*place, start)])
    found = Arrivals()
    position = start
    while position < end:
        # `consume` would wait until it has as many as it is asked for.
        first = consumer.poll(wait_s)
        messages = [] if first is None else [first, *consumer.consume(MESSAGES_A_READ - 1, 0.0)]
        if not messages:
            raise KafkaException(
                KafkaError(KafkaError._TIMED_OUT, f"nothing came from offset {position} on")
            )
        arrived = Arrivals()
        arrived.add(messages)
        records = arrived.records.get(place, [])
        found.records.setdefault(place, []).extend(r for r in records if r.offset < end)
        if records:
            position = records[-1].offset + 1
        position = max(position, arrived.ends.get(place, 0))
    return found


def _place(message: Message) -> Place:
    return Place(message.topic() or "", message.partition() or 0)


def _record(message: Message) -> Record:
    headers: Any = message.headers() or ()
    # Of several headers of one name the first counts, as it does for every other reader.
    named = {name: value or b"" for name, value in reversed(headers)}
    return Record(
        message.offset() or 0,
        message.key(),
        message.value() or b"",
        named,
        message.timestamp()[1] * 1000,
    )
