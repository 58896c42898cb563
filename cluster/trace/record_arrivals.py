"""The records of one partition of every data topic as they are committed, with when they came."""

import queue
import threading
import time
from typing import Final

from confluent_kafka import Consumer, KafkaException, TopicPartition

from cluster.trace.followed_frame import Arrival
from pipelines import topics
from pipelines.archive.kafka_records import Arrivals
from pipelines.kafka_clients import (
    Options,
    consumer_options,
    new_consumer,
    unavailable,
    watermarks,
)
from pipelines.settings import KafkaSettings

_TOPICS: Final = (
    topics.RAW,
    topics.TRANSFORMED,
    topics.PREDICTIONS,
    topics.AGGREGATED,
    topics.SESSIONS,
    topics.DEAD_LETTERS,
)
_OPTIONS: Final[Options] = {"fetch.wait.max.ms": 10}
_POLL_S: Final = 0.05
_AT_ONCE: Final = 256
_JOIN_S: Final = 5.0


class RecordArrivals:
    """Reads in a thread from the partitions' ends on, so that a time is of the coming itself."""

    def __init__(
        self, settings: KafkaSettings, partition: int, arrived: "queue.Queue[Arrival]"
    ) -> None:
        """Begin at the ends as they are now.

        Raises:
            UnavailableError: Kafka does not answer.
        """
        self._settings = settings
        self._arrived = arrived
        self._stopping = threading.Event()
        self._error: KafkaException | None = None
        self._consumer: Consumer = new_consumer(
            consumer_options(settings, "imustream-trace") | _OPTIONS
        )
        try:
            ends = [(topic, watermarks(self._consumer, topic, partition)[1]) for topic in _TOPICS]
            self._consumer.assign([TopicPartition(topic, partition, end) for topic, end in ends])
        except KafkaException as error:
            self._consumer.close()
            raise self._unavailable(error) from None
        self._thread = threading.Thread(target=self._read, name="trace-kafka", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """See that it still reads; raises UnavailableError where Kafka went away."""
        if self._error is not None:
            raise self._unavailable(self._error) from None

    def close(self) -> None:
        """Read no more."""
        self._stopping.set()
        self._thread.join(_JOIN_S)
        self._consumer.close()

    def _read(self) -> None:
        try:
            while not self._stopping.is_set():
                first = self._consumer.poll(_POLL_S)
                if first is None:
                    continue
                seen_us = time.time_ns() // 1000
                found = Arrivals()
                found.add([first, *self._consumer.consume(_AT_ONCE, 0.0)])
                for place, records in found.records.items():
                    for record in records:
                        self._put((place.topic, record, seen_us))
        except KafkaException as error:
            self._error = error

    def _put(self, arrival: Arrival) -> None:
        while not self._stopping.is_set():
            try:
                self._arrived.put(arrival, timeout=_POLL_S)
                return
            except queue.Full:
                continue

    def _unavailable(self, error: KafkaException) -> Exception:
        return unavailable(error, "following a frame", self._settings.bootstrap_servers)
