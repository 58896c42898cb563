"""Reads whole Kafka topics, for tests to compare with what should be in them."""

import time
from collections.abc import Callable, Iterator

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

DEADLINE_S = 120.0


def read_topic(bootstrap_servers: str, topic: str) -> Iterator[Message]:
    """All records of a topic that are there now, in order within each partition."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "test-reader",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 10,
        }
    )
    try:
        ends = _ends(consumer, topic)
        consumer.assign([TopicPartition(topic, partition, 0) for partition in ends])
        while ends:
            message = consumer.poll(DEADLINE_S)
            assert message is not None, f"{topic} could not be read to its end"
            partition = message.partition()
            if message.error() is not None:
                assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
            if message.error() is None and message.offset() < ends.get(partition, 0):
                yield message
            # A transaction's marker may stand last: then only the end itself is reported.
            if partition in ends and message.offset() >= ends[partition] - 1:
                del ends[partition]
                consumer.incremental_unassign([TopicPartition(topic, partition)])
    finally:
        consumer.close()


def _ends(consumer: Consumer, topic: str) -> dict[int, int]:
    """The end of each partition that holds anything, as soon as its leader answers."""
    partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
    ends = {}
    for partition in partitions:
        last: list[int] = []

        def asked(partition: int = partition, last: list[int] = last) -> bool:
            try:
                last[:] = consumer.get_watermark_offsets(TopicPartition(topic, partition), 10)
            except KafkaException:
                return False
            return True

        wait_until(f"the leader of {topic}/{partition}", asked)
        if last[1] > last[0]:
            ends[partition] = last[1]
    return ends


def wait_until(what: str, holds: Callable[[], bool], deadline_s: float = DEADLINE_S) -> None:
    """Return once ``holds`` does; fail with ``what`` when it has not by the deadline."""
    end_s = time.monotonic() + deadline_s
    while not holds():
        assert time.monotonic() < end_s, f"waited {deadline_s:.0f} s for {what}"
        time.sleep(0.02)
