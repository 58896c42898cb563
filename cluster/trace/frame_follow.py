"""Follow a sensor's next frame through every stage while it comes, and say when it was where."""

import time
from collections.abc import Callable, Iterator
from typing import Final

from confluent_kafka import Consumer, KafkaException, TopicPartition

from cluster.trace.deadline import Deadline
from cluster.trace.followed_frame import NAMES, WEBSOCKET, FollowedFrame
from cluster.trace.live_messages import LiveMessages
from cluster.trace.stage import Stage, Trace
from pipelines import topics
from pipelines.archive.kafka_records import Arrivals
from pipelines.kafka_clients import (
    Options,
    consumer_options,
    new_consumer,
    unavailable,
    watermarks,
)
from pipelines.partitioner import partition_of
from pipelines.settings import Settings

_TOPICS: Final = (
    topics.RAW,
    topics.TRANSFORMED,
    topics.PREDICTIONS,
    topics.AGGREGATED,
    topics.SESSIONS,
    topics.DEAD_LETTERS,
)
_OPTIONS: Final[Options] = {"fetch.wait.max.ms": 10}
_POLL_S: Final = 0.002
_AT_ONCE: Final = 256


def follow_next_frame(
    settings: Settings,
    sensor_id: str,
    within_s: float,
    live_url: str | None,
    show: Callable[[Stage, int | None], None],
) -> Trace:
    """Return where the sensor's next frame was when; times are those at which this saw it.

    Args:
        settings: of the stack or cluster.
        sensor_id: whose frame.
        within_s: how long it is followed at most.
        live_url: address of an api elsewhere, such as wss://host; None: this machine's.
        show: is told each stage when the frame reaches it, and when the bridge received it.

    Raises:
        UnavailableError: Kafka does not answer.
    """
    partition = partition_of(sensor_id)
    followed = FollowedFrame(sensor_id, partition, settings.processing.sample_rate_hz)
    deadline = Deadline(within_s)
    consumer = new_consumer(consumer_options(settings.kafka, "imustream-trace") | _OPTIONS)
    live = LiveMessages(settings, sensor_id, live_url)
    expected = tuple(name for name in NAMES if name != WEBSOCKET or live.failed is None)
    try:
        for stage in _stages(consumer, live, followed, partition, deadline):
            show(stage, followed.received_us)
            if followed.refused or all(name in followed.stages for name in expected):
                break
    except KafkaException as error:
        where = settings.kafka.bootstrap_servers
        raise unavailable(error, "following a frame", where) from None
    finally:
        live.close()
        consumer.close()
    return followed.trace(NAMES, not deadline.passed)


def _stages(
    consumer: Consumer,
    live: LiveMessages,
    followed: FollowedFrame,
    partition: int,
    deadline: Deadline,
) -> Iterator[Stage]:
    ends = [(topic, watermarks(consumer, topic, partition)[1]) for topic in _TOPICS]
    consumer.assign([TopicPartition(topic, partition, end) for topic, end in ends])
    while not deadline.passed:
        first = consumer.poll(_POLL_S)
        if first is not None:
            seen_us = time.time_ns() // 1000
            arrived = Arrivals()
            arrived.add([first, *consumer.consume(_AT_ONCE, 0.0)])
            for place, records in arrived.records.items():
                for record in records:
                    yield from followed.take(place.topic, record, seen_us)
        for message, seen_us in live.take():
            yield from followed.take(WEBSOCKET, message, seen_us)
