"""Follow a topic as an engineer does: from its end or its beginning, for as long as one looks."""

from collections.abc import Iterator, Sequence
from typing import cast

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from cluster.record_lines import Record
from pipelines.kafka_clients import (
    consumer_options,
    kafka_error,
    new_consumer,
    unavailable,
    watermarks,
)
from pipelines.settings import KafkaSettings

_POLL_S = 0.2


def follow(
    settings: KafkaSettings, topic: str, partitions: Sequence[int], from_beginning: bool
) -> Iterator[Record]:
    """Give the committed records of ``partitions`` as they come, without end.

    Raises:
        UnavailableError: the brokers do not answer, or the topic is not there.
    """
    consumer = new_consumer(
        consumer_options(settings, "imustream-tail") | {"auto.offset.reset": "earliest"}
    )
    try:
        starts = []
        for partition in partitions:
            low, high = watermarks(consumer, topic, partition)
            starts.append(TopicPartition(topic, partition, low if from_beginning else high))
        consumer.assign(starts)
        while True:
            message = consumer.poll(_POLL_S)
            if message is not None:
                yield from _record(message)
    except KafkaException as error:
        raise unavailable(error, f"reading {topic}", settings.bootstrap_servers) from None
    finally:
        consumer.close()


def _record(message: Message) -> Iterator[Record]:
    error = message.error()
    if error is not None:
        failed = KafkaException(error)
        # librdkafka mends everything else by itself.
        if kafka_error(failed).code() == KafkaError._ALL_BROKERS_DOWN or error.fatal():
            raise failed
        return
    headers = cast("list[tuple[str, bytes]]", message.headers() or [])
    yield Record(
        topic=cast("str", message.topic()),
        partition=cast("int", message.partition()),
        offset=cast("int", message.offset()),
        timestamp_ms=message.timestamp()[1],
        key=message.key(),
        value=message.value(),
        headers=dict(headers),
    )
