"""How far the sinks are, asked of the brokers when somebody wants to know."""

import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException
from confluent_kafka import TopicPartition as Partition
from confluent_kafka.admin import AdminClient

from pipelines import topics
from pipelines.errors import DataError, UnavailableError
from pipelines.kafka_clients import LOGGER, client_options, unavailable
from pipelines.settings import KafkaSettings
from pipelines.sinks.sink_offsets import Mark, Place, group_of

_AGE_S = 1.0
RATES_OVER_S = 5.0
_SAMPLES = 16
_TIMEOUT_S = 2.0

Marks = Mapping[str, Mapping[Place, Mark]]
"""The marks of each sink."""


class MarkSample(NamedTuple):
    """The marks of all sinks as they stood at one moment."""

    monotonic_s: float
    marks: Marks


class SinkView:
    """The marks of all sinks; any thread may ask."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._admin = AdminClient(client_options(settings, "imustream-marks"), logger=LOGGER)
        self._lock = threading.Lock()
        self._samples: deque[MarkSample] = deque(maxlen=_SAMPLES)
        self._asked_s = float("-inf")

    def marks(self) -> tuple[MarkSample, MarkSample]:
        """Return the marks of some seconds ago and those of now; the same twice at first.

        It asks the brokers, at most once a second: not for an event loop. While they are away the
        last answer counts.

        Raises:
            UnavailableError: the brokers have never answered.
            DataError: an offset was committed by something else.
        """
        with self._lock:
            if time.monotonic() - self._asked_s >= _AGE_S:
                self._asked_s = time.monotonic()
                try:
                    marks = {sink: self._ask(sink) for sink in topics.SINKS}
                    self._samples.append(MarkSample(time.monotonic(), marks))
                    while len(self._samples) > 2 and self._age_s(1) > RATES_OVER_S:
                        self._samples.popleft()
                except UnavailableError:
                    if not self._samples:
                        self._asked_s = float("-inf")
                        raise
            return self._samples[0], self._samples[-1]

    def _age_s(self, sample: int) -> float:
        return time.monotonic() - self._samples[sample].monotonic_s

    def _ask(self, sink: str) -> dict[Place, Mark]:
        asked = ConsumerGroupTopicPartitions(
            group_of(sink),
            [
                Partition(topic, partition)
                for topic in topics.SINKS[sink]
                for partition in range(topics.PARTITIONS)
            ],
        )
        try:
            (answer,) = self._admin.list_consumer_group_offsets(
                [asked], request_timeout=_TIMEOUT_S
            ).values()
            found = answer.result(_TIMEOUT_S).topic_partitions
        except (KafkaException, TimeoutError) as error:
            failed = error if isinstance(error, KafkaException) else KafkaException("no answer")
            where = self._settings.bootstrap_servers
            raise unavailable(failed, f"asking how far {sink} is", where) from None
        return {
            Place(each.topic, each.partition): _mark(sink, each)
            for each in found
            if each.offset is not None and each.offset >= 0
        }


def _mark(sink: str, committed: Partition) -> Mark:
    try:
        return msgspec.json.decode(committed.metadata or "", type=Mark)
    except msgspec.DecodeError:
        raise DataError(
            f"the offset that {group_of(sink)} committed of {committed.topic}/"
            f"{committed.partition} is not one of ours; see that no other program uses that group"
        ) from None
