"""When records of a topic came to be, read back from Kafka after a run."""

import time
from collections.abc import Collection, Iterator, Sequence
from typing import cast

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from pipelines.batching import RECEIVED_HEADER
from pipelines.errors import UnavailableError
from pipelines.kafka_clients import consumer_options, new_consumer
from pipelines.settings import KafkaSettings

_READ_TIMEOUT_S = 120.0

Place = tuple[int, int]
"""Partition and offset."""


def received_us(kafka: KafkaSettings, topic: str, places: Collection[Place]) -> dict[Place, int]:
    """Return the header ``received-us`` of the records at ``places``."""
    found = {}
    for place, message in _records(kafka, topic, places):
        value = dict(cast(Sequence[tuple[str, bytes]], message.headers())).get(RECEIVED_HEADER)
        if value is not None:
            found[place] = int(value)
    return found


def produced_us(kafka: KafkaSettings, topic: str, places: Collection[Place]) -> dict[Place, int]:
    """Return when the records at ``places`` were produced, to the millisecond."""
    return {
        place: message.timestamp()[1] * 1000 for place, message in _records(kafka, topic, places)
    }


def _records(
    kafka: KafkaSettings, topic: str, places: Collection[Place]
) -> Iterator[tuple[Place, Message]]:
    wanted = set(places)
    first = {p: min(o for q, o in wanted if q == p) for p in {q for q, _ in wanted}}
    consumer: Consumer = new_consumer(consumer_options(kafka, "imustream.bench"))
    consumer.assign([TopicPartition(topic, p, offset) for p, offset in first.items()])
    deadline = time.monotonic() + _READ_TIMEOUT_S
    try:
        while wanted:
            if time.monotonic() > deadline:
                raise UnavailableError(
                    f"{len(wanted)} records of {topic} were not read back in {_READ_TIMEOUT_S} s; "
                    "see that Kafka runs (`imustream status`)"
                )
            for message in consumer.consume(10_000, 0.5):
                error = message.error()
                if error is not None and error.code() != KafkaError._PARTITION_EOF:
                    raise UnavailableError(f"{topic} cannot be read back: {error.str()}")
                place = cast(Place, (message.partition(), message.offset()))
                if place in wanted:
                    wanted.discard(place)
                    yield place, message
    finally:
        consumer.close()
