"""What changelogs and pipeline-control say, kept up to date by one thread.

`api` has no state of its own: it reads the changelog of sensor_processing from its beginning, then
follows it. Of the other changelogs only the ledgers matter, and each transaction ends with one: it
begins near their ends. Values stay as they came; they are decoded when somebody asks.
"""

import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, TopicPartition

from pipelines import topics
from pipelines.compacted import reader
from pipelines.control import ControlState, fold
from pipelines.errors import UnavailableError
from pipelines.kafka_clients import Options
from pipelines.ledger import LEDGER_KEY
from pipelines.settings import KafkaSettings
from pipelines.sinks.sink_offsets import Place
from serve.consumer_thread import ConsumerThread

Values = Mapping[int, Mapping[bytes, bytes]]
"""Raw values by partition and key."""

_CONSUME_S = 0.25
_FETCHING: Options = {"fetch.min.bytes": 1_000_000, "fetch.wait.max.ms": 300}
"""What people look at may be a moment old; fetching at every commit would cost the broker a lot."""
_MOST_RECORDS = 2_000
_SAMPLE_S = 1.0
_SAMPLES = 6
"""Rates are taken over the last five seconds."""

_TAIL_OFFSETS = 100
_NEAR_END: Final = -2_000 - _TAIL_OFFSETS
"""librdkafka's way to say: so many offsets before the end."""


class LedgerSample(NamedTuple):
    """The ledger records of all partitions as they stood at one moment, undecoded."""

    monotonic_s: float
    ledgers: Mapping[Place, bytes]


class KafkaView:
    """Follows the changelogs and pipeline-control; any thread may ask it."""

    def __init__(
        self, settings: KafkaSettings, state_changelog: str, ledger_changelogs: Sequence[str]
    ) -> None:
        """All of ``state_changelog`` is kept, of ``ledger_changelogs`` only the ledgers."""
        self._settings = settings
        self._state_changelog = state_changelog
        self._states: dict[int, dict[bytes, bytes]] = {p: {} for p in range(topics.PARTITIONS)}
        self._ledgers: dict[Place, bytes] = {}
        self._control = ControlState()
        self._begins = {Place(topics.CONTROL, 0): OFFSET_BEGINNING}
        for partition in range(topics.PARTITIONS):
            self._begins[Place(state_changelog, partition)] = OFFSET_BEGINNING
            for changelog in ledger_changelogs:
                self._begins[Place(changelog, partition)] = _NEAR_END
        self._unread = set(self._begins)
        self._samples: deque[LedgerSample] = deque(maxlen=_SAMPLES)
        self._lock = threading.Lock()
        self.thread = ConsumerThread("kafka-view", self._new_consumer, self._follow)

    def state_records(self) -> Values:
        """Return the state records.

        Raises:
            UnavailableError: the changelogs have not been read to their ends yet.
        """
        self._require_read()
        with self._lock:
            return {partition: dict(values) for partition, values in self._states.items()}

    def control(self) -> ControlState:
        """Return what pipeline-control says; raises as :meth:`state_records`."""
        self._require_read()
        with self._lock:
            return ControlState(dict(self._control.pipelines), dict(self._control.alarms))

    def ledgers(self) -> tuple[LedgerSample, LedgerSample]:
        """Return the ledgers of some seconds ago and those of now; the same twice at first.

        Raises as :meth:`state_records`.
        """
        self._require_read()
        with self._lock:
            now = self._sample()
            return (self._samples[0] if self._samples else now), now

    def _require_read(self) -> None:
        if self._unread:
            raise UnavailableError(
                f"the changelogs and {topics.CONTROL} are not read to their ends yet; if this "
                f"lasts, see that Kafka {self._settings.bootstrap_servers} runs and has the topics"
            )

    def _sample(self) -> LedgerSample:
        return LedgerSample(time.monotonic(), dict(self._ledgers))

    def _new_consumer(self) -> Consumer:
        consumer = reader(self._settings, "imustream-api", _FETCHING)
        consumer.assign([TopicPartition(*place, begin) for place, begin in self._begins.items()])
        return consumer

    def _follow(self, consumer: Consumer) -> None:
        messages = consumer.consume(_MOST_RECORDS, _CONSUME_S)
        with self._lock:
            for message in messages:
                self._take(message, consumer)
            if not self._unread:
                last_s = self._samples[-1].monotonic_s if self._samples else float("-inf")
                if time.monotonic() - last_s >= _SAMPLE_S:
                    self._samples.append(self._sample())

    def _take(self, message: Message, consumer: Consumer) -> None:
        topic, key = message.topic(), message.key()
        if topic is None:
            return
        place = Place(topic, message.partition() or 0)
        error = message.error()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:
                self._reached_end(place, consumer)
            return
        if key is None:
            return
        value = message.value()
        if topic == topics.CONTROL:
            fold(self._control, key, value)
        elif key == LEDGER_KEY:
            self._ledgers[place] = value or b""
        elif topic != self._state_changelog:
            return
        elif value is None:
            self._states[place.partition].pop(key, None)
        else:
            self._states[place.partition][key] = value

    def _reached_end(self, place: Place, consumer: Consumer) -> None:
        if self._begins[place] == _NEAR_END and place not in self._ledgers:
            # It may stand further back: read all, once.
            self._begins[place] = OFFSET_BEGINNING
            consumer.seek(TopicPartition(*place, OFFSET_BEGINNING))
            return
        self._unread.discard(place)
