"""Reads the watched partitions from Kafka in a thread, and has their messages delivered."""

import asyncio
import logging
import time
from typing import cast

import pyarrow as pa
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from pipelines.kafka_clients import consumer_options, new_consumer
from pipelines.settings import KafkaSettings
from serve.consumer_thread import ConsumerThread
from serve.live_delivery import Delivery, Record, deliveries
from serve.live_messages import STREAM_OF, TOPIC_OF, Source
from serve.live_watch import Place, WatchList

log = logging.getLogger(__name__)

_POLL_S = 0.05
"""How long a poll waits at most, so how soon a new client's partition is taken up."""
_MOST_RECORDS = 500
"""Records taken from librdkafka at once."""
_OFFSET_TIMEOUT_S = 2.0
_RETRY_S = 0.5


class LiveReader:
    """Reads exactly the partitions that somebody watches, from their end on, committed data only.

    A partition starts at the offset that was its end when its first client came, so a record
    committed after that client was let in is delivered, also if Kafka was away meanwhile.
    Create it in the event loop that owns the watches' clients.
    """

    def __init__(self, settings: KafkaSettings, watches: WatchList) -> None:
        self._settings = settings
        self._watches = watches
        self._loop = asyncio.get_running_loop()
        self._assigned: frozenset[Place] = frozenset()
        self._changed = asyncio.Event()
        self._retry_at_s = 0.0
        self.thread = ConsumerThread("live-reader", self._new_consumer, self._turn)

    @property
    def assigned(self) -> frozenset[Place]:
        """The partitions that are being read now."""
        return self._assigned

    async def reads(self, place: Place) -> None:
        """Wait until a partition is being read."""
        while place not in self._assigned:
            self._changed.clear()
            await self._changed.wait()

    def _new_consumer(self) -> Consumer:
        return new_consumer(
            consumer_options(self._settings, "imustream-live")
            | {
                "auto.offset.reset": "latest",
                # A commit shows its partitions one after the other: wait for them together,
                # since each fetch costs the broker more than the records in it.
                "fetch.min.bytes": 256 * 1024,
                "fetch.wait.max.ms": 10,
            }
        )

    def _turn(self, consumer: Consumer) -> None:
        self._follow_watches(consumer)
        self._read(consumer)

    def _follow_watches(self, consumer: Consumer) -> None:
        """Assign what is watched and unassign what is no longer."""
        wanted = self._watches.partitions()
        if wanted == self._assigned or time.monotonic() < self._retry_at_s:
            return
        gone = self._assigned - wanted
        if gone:
            consumer.incremental_unassign([TopicPartition(*place) for place in gone])
        starts = []
        for place in wanted - self._assigned:
            end = _end_offset(consumer, place)
            if end is None:
                self._retry_at_s = time.monotonic() + _RETRY_S
                break
            starts.append(TopicPartition(*place, end))
        if starts:
            consumer.incremental_assign(starts)
        added = {(start.topic, start.partition) for start in starts}
        self._assigned = (self._assigned - gone) | added
        self._loop.call_soon_threadsafe(self._changed.set)

    def _read(self, consumer: Consumer) -> None:
        """Take what has come and hand it over, record by record."""
        first = consumer.poll(_POLL_S)
        if first is None:
            return
        for message in (first, *consumer.consume(_MOST_RECORDS, 0)):
            record = _record(message)
            if record is None:
                log.info("Kafka: %s", message.error())
                continue
            source = record.source
            watched = self._watches.at((TOPIC_OF[source.stream], source.partition))
            try:
                made = list(deliveries(record, watched))
            except (pa.ArrowException, ValueError, KeyError, AttributeError) as error:
                log.warning("%s cannot be shown: %s", source, error)
                continue
            if made:
                self._loop.call_soon_threadsafe(_hand_over, made)


def _end_offset(consumer: Consumer, place: Place) -> int | None:
    """Return the offset after the last committed record; None where Kafka does not say."""
    try:
        answer = consumer.get_watermark_offsets(TopicPartition(*place), timeout=_OFFSET_TIMEOUT_S)
    except KafkaException as error:
        log.info("Kafka does not say where %s[%d] ends: %s", *place, error)
        return None
    return None if answer is None else answer[1]


def _hand_over(made: list[Delivery]) -> None:
    for watch, head in made:
        watch.deliver(head)


def _record(message: Message) -> Record | None:
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    value = message.value()
    if message.error() or topic is None or partition is None or offset is None or value is None:
        return None
    headers = cast("list[tuple[str, bytes]]", message.headers() or ())
    source = Source(STREAM_OF[topic], partition, offset)
    return Record(source, message.key(), value, dict(headers))
