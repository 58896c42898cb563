"""Reads the watched partitions from Kafka in a thread, and has their messages delivered."""

import asyncio
import logging
import time
from collections.abc import Mapping

import pyarrow as pa
from confluent_kafka import Consumer, KafkaException, TopicPartition

from pipelines import metrics
from pipelines.kafka_clients import consumer_options, new_consumer
from pipelines.reception import oldest_received_us
from pipelines.settings import KafkaSettings
from serve.consumer_thread import ConsumerThread
from serve.live_delivery import Delivery, Record, deliveries
from serve.live_records import record_of
from serve.live_streams import STREAMS, Place
from serve.live_watch import Watch, Watched, WatchList

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
        self._retry_at_s = 0.0
        self._next: dict[Place, int] = {}
        self._told: tuple[int, Mapping[Place, int]] = (-1, {})
        # What the event loop knows; the thread tells it in the order of what it hands over.
        self._seen_version = -1
        self._positions: Mapping[Place, int] = {}
        self._changed = asyncio.Event()
        self.thread = ConsumerThread("live-reader", self._new_consumer, self._turn)

    @property
    def assigned(self) -> frozenset[Place]:
        """The partitions that are being read now."""
        return frozenset(self._positions)

    def next_offset(self, place: Place) -> int | None:
        """Return the offset before which all is handed over; None where it is not being read."""
        return self._positions.get(place)

    async def follows(self, watch: Watch) -> None:
        """Wait until all from :meth:`next_offset` on is handed over to this watch too."""
        while not (
            watch.version <= self._seen_version
            and all(place in self._positions for place in watch.places)
        ):
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
        # Whoever came before this moment has its messages made in this turn.
        version = self._watches.version
        self._follow_watches(consumer)
        self._read(consumer)
        if self._told != (version, self._next):
            self._told = (version, dict(self._next))
            self._loop.call_soon_threadsafe(self._tell, *self._told)

    def _tell(self, version: int, positions: Mapping[Place, int]) -> None:
        self._seen_version, self._positions = version, positions
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _follow_watches(self, consumer: Consumer) -> None:
        """Assign what is watched and unassign what is no longer."""
        wanted = self._watches.partitions()
        assigned = self._next.keys()
        if wanted == assigned or time.monotonic() < self._retry_at_s:
            return
        gone = assigned - wanted
        if gone:
            consumer.incremental_unassign([TopicPartition(*place) for place in gone])
            self._next = {place: at for place, at in self._next.items() if place in wanted}
        starts = []
        for place in wanted - assigned:
            end = _end_offset(consumer, place)
            if end is None:
                self._retry_at_s = time.monotonic() + _RETRY_S
                break
            starts.append(TopicPartition(*place, end))
        if starts:
            consumer.incremental_assign(starts)
            self._next |= {(start.topic, start.partition): start.offset for start in starts}

    def _read(self, consumer: Consumer) -> None:
        """Take what has come and hand it over, record by record."""
        first = consumer.poll(_POLL_S)
        if first is None:
            return
        for message in (first, *consumer.consume(_MOST_RECORDS, 0)):
            record = record_of(message)
            if record is None:
                log.info("Kafka: %s", message.error())
                continue
            source = record.source
            place = (STREAMS[source.stream].topic, source.partition)
            # What an assignment before this one had fetched would turn the position back.
            if source.offset >= self._next.get(place, source.offset + 1):
                self._next[place] = source.offset + 1
                made = readable(record, self._watches.at(place))
                if made:
                    received_us = oldest_received_us(record.headers)
                    self._loop.call_soon_threadsafe(_hand_over, made, received_us)


def readable(record: Record, watched: Watched) -> list[Delivery]:
    """Return the messages of a record, none where it is not what its topic should hold."""
    try:
        return list(deliveries(record, watched))
    except (pa.ArrowException, ValueError, KeyError, AttributeError, TypeError) as error:
        source = record.source
        about = {
            "topic": STREAMS[source.stream].topic,
            "partition": source.partition,
            "offset": source.offset,
        }
        log.warning("a record cannot be shown: %s", error, extra=about)
        return []


def _end_offset(consumer: Consumer, place: Place) -> int | None:
    """Return the offset after the last committed record; None where Kafka does not say."""
    try:
        answer = consumer.get_watermark_offsets(TopicPartition(*place), timeout=_OFFSET_TIMEOUT_S)
    except KafkaException as error:
        about = {"topic": place[0], "partition": place[1]}
        log.info("Kafka does not say where a partition ends: %s", error, extra=about)
        return None
    return None if answer is None else answer[1]


def _hand_over(made: list[Delivery], received_us: int | None) -> None:
    for delivery in made:
        delivery.deliver()
    if received_us is not None:
        metrics.LATENCY_SECONDS.observe(time.time() - received_us / 1e6, "websocket")
