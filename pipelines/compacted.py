"""Read compacted partitions to their end: the last value of each key."""

import time
from collections.abc import Iterator, Sequence

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from pipelines.kafka_clients import (
    Options,
    consumer_options,
    new_consumer,
    transient,
    unavailable,
    watermarks,
)
from pipelines.settings import KafkaSettings

_BATCH = 10_000
_IDLE_S = 0.2
READ_TIMEOUT_S = 120.0
"""Reading compacted partitions to their end takes seconds; past this the broker is at fault."""


def reader(settings: KafkaSettings, name: str, fetching: Options | None = None) -> Consumer:
    """Make a consumer that can read partitions from their beginning and sees their ends."""
    return new_consumer(
        consumer_options(settings, name)
        | {"auto.offset.reset": "earliest", "enable.partition.eof": True}
        | (fetching or {})
    )


def read_last_values(
    settings: KafkaSettings, topic: str, partitions: Sequence[int]
) -> dict[int, dict[bytes, bytes]]:
    """Return for each partition the last committed value of each key; tombstones are left out.

    Raises:
        UnavailableError: the brokers did not answer, or not in :data:`READ_TIMEOUT_S`.
    """
    values: dict[int, dict[bytes, bytes]] = {partition: {} for partition in partitions}
    consumer = reader(settings, f"imustream.reader.{topic}")
    try:
        for message in until_end(consumer, topic, partitions):
            _keep(message, values)
    except KafkaException as error:
        raise unavailable(error, f"reading {topic}", settings.bootstrap_servers) from None
    finally:
        consumer.close()
    return values


def until_end(consumer: Consumer, topic: str, partitions: Sequence[int]) -> Iterator[Message]:
    """Assign ``partitions`` to a :func:`reader`, and yield what is committed in them now.

    Raises:
        KafkaException: the brokers did not answer, or not in :data:`READ_TIMEOUT_S`.
    """
    ends = {}
    for partition in partitions:
        low, high = watermarks(consumer, topic, partition)
        if high > low:
            ends[partition] = high
    consumer.assign(
        [TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions]
    )
    deadline = time.monotonic() + READ_TIMEOUT_S
    while ends:
        for message in consumer.consume(_BATCH, _IDLE_S):
            error = message.error()
            if error is None:
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                # Only this event tells of an end made of transaction markers, which come to no one.
                _reached(message, ends)
            elif not transient(error):
                raise KafkaException(error)
        if time.monotonic() > deadline:
            raise KafkaException(f"partitions {sorted(ends)} not read in {READ_TIMEOUT_S:.0f} s")


def _reached(end: Message, ends: dict[int, int]) -> None:
    partition, offset = end.partition(), end.offset()
    if partition is not None and offset is not None and offset >= ends.get(partition, 0):
        ends.pop(partition, None)


def _keep(message: Message, values: dict[int, dict[bytes, bytes]]) -> None:
    key, value, partition = message.key(), message.value(), message.partition()
    if key is None or partition is None:
        return
    if value is None:
        values[partition].pop(key, None)
    else:
        values[partition][key] = value
