"""The thread that reads the watched partitions from Kafka and makes their messages, once each."""

import asyncio
import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import pyarrow as pa
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from pipelines import topics
from pipelines.errors import UnavailableError
from pipelines.kafka_clients import consumer_options, new_consumer
from pipelines.settings import KafkaSettings
from serve.live_messages import (
    AGGREGATED,
    STREAM_OF,
    TOPIC_OF,
    TRANSFORMED,
    Source,
    message_head,
    raw_columns,
    rows_by_sensor,
    window_columns,
)
from serve.live_watch import Place, Watch, WatchList

log = logging.getLogger(__name__)

_POLL_S = 0.05
"""How long a poll waits at most, so how soon a new client's partition is taken up."""
_MOST_RECORDS = 500
"""Records taken from librdkafka at once."""
_OFFSET_TIMEOUT_S = 2.0
_RETRY_S = 0.5

_ARROW = topics.ARROW_TYPE.encode()

Delivery = tuple[Watch, str]


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
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="live-reader", daemon=True)

    def start(self) -> None:
        """Start reading."""
        self._thread.start()

    def stop(self) -> None:
        """Stop reading; returns when the thread has ended."""
        self._stopping.set()
        self._thread.join()

    def check(self) -> None:
        """Raise where the thread has ended although nobody stopped it.

        Raises:
            UnavailableError: it has; a new replica must take over.
        """
        if not self._thread.is_alive():
            raise UnavailableError("the thread that reads Kafka has ended; see the replica's log")

    @property
    def assigned(self) -> frozenset[Place]:
        """The partitions that are being read now."""
        return self._assigned

    async def reads(self, place: Place) -> None:
        """Wait until a partition is being read."""
        while place not in self._assigned:
            self._changed.clear()
            await self._changed.wait()

    def _run(self) -> None:
        consumer = new_consumer(
            consumer_options(self._settings, "imustream-live")
            | {
                "auto.offset.reset": "latest",
                # The broker answers as soon as there is data. This bounds only how long a fetch
                # without data keeps a partition that was just added waiting.
                "fetch.wait.max.ms": 50,
            }
        )
        try:
            while not self._stopping.is_set():
                self._follow_watches(consumer)
                self._read(consumer)
        except Exception:
            log.exception("reading Kafka for live failed")
        finally:
            consumer.close()

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
            source, value = _source(message), message.value()
            if source is None or value is None:
                log.info("Kafka: %s", message.error())
                continue
            watched = self._watches.at((TOPIC_OF[source.stream], source.partition))
            try:
                deliveries = list(_deliveries(message, source, value, watched))
            except (pa.ArrowException, ValueError, KeyError, AttributeError) as error:
                log.warning("%s cannot be shown: %s", source, error)
                continue
            if deliveries:
                self._loop.call_soon_threadsafe(_hand_over, deliveries)


def _end_offset(consumer: Consumer, place: Place) -> int | None:
    """Return the offset after the last committed record; None where Kafka does not say."""
    try:
        answer = consumer.get_watermark_offsets(TopicPartition(*place), timeout=_OFFSET_TIMEOUT_S)
    except KafkaException as error:
        log.info("Kafka does not say where %s[%d] ends: %s", *place, error)
        return None
    return None if answer is None else answer[1]


def _hand_over(deliveries: list[Delivery]) -> None:
    for watch, head in deliveries:
        watch.deliver(head)


def _source(message: Message) -> Source | None:
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    if message.error() or topic is None or partition is None or offset is None:
        return None
    return Source(STREAM_OF[topic], partition, offset)


def _deliveries(
    message: Message, source: Source, value: bytes, watched: Mapping[str, Sequence[Watch]]
) -> Iterator[Delivery]:
    """Make the messages of one record for those who watch its sensors."""
    if source.stream == TRANSFORMED:
        yield from _transformed(message, source, value, watched)
        return
    sensor_id = (message.key() or b"").decode()
    watches = watched.get(sensor_id)
    if not watches:
        return
    if source.stream == AGGREGATED:
        columns = window_columns(value)
    else:
        received_us = int(record_headers(message)["received-us"])
        columns = raw_columns(value, source.offset, received_us)
    if any(columns.values()):
        head = message_head(source, sensor_id, columns)
        yield from ((watch, head) for watch in watches)


def _transformed(
    message: Message, source: Source, value: bytes, watched: Mapping[str, Sequence[Watch]]
) -> Iterator[Delivery]:
    if not watched or record_headers(message).get(topics.CONTENT_TYPE) != _ARROW:
        return
    for sensor_id, rows in rows_by_sensor(value, watched):
        for watch in watched[sensor_id]:
            kept = rows if watch.thinner is None else watch.thinner.thin(rows)
            if len(kept["timestamp_us"]):
                yield watch, message_head(source, sensor_id, kept)


def record_headers(message: Message) -> dict[str, bytes]:
    """Return a record's headers by name."""
    return dict(cast("list[tuple[str, bytes]]", message.headers() or ()))
