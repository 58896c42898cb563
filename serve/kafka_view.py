"""What changelogs and pipeline-control say, kept up to date by one thread.

`api` has no state of its own: it reads the changelog of sensor_processing from its beginning, then
follows it. Of the other changelogs only the ledgers matter, and each transaction ends with one: it
begins near their ends. Values stay as they came; they are decoded when somebody asks.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from pipelines import topics
from pipelines.compacted import reader
from pipelines.control import ControlState, fold
from pipelines.errors import UnavailableError
from pipelines.kafka_clients import Options, reason
from pipelines.ledger import LEDGER_KEY
from pipelines.settings import KafkaSettings
from pipelines.sinks.sink_offsets import Place
from serve.consumer_thread import ConsumerThread

log = logging.getLogger(__name__)

Values = Mapping[int, Mapping[bytes, bytes]]
"""Raw values by partition and key."""

_CONSUME_S = 0.25
_FETCHING: Options = {"fetch.min.bytes": 1_000_000, "fetch.wait.max.ms": 300}
"""What people look at may be a moment old; fetching at every commit would cost the broker a lot."""
_MOST_RECORDS = 2_000
_SAMPLE_S = 1.0
_SAMPLES = 6
"""Rates are taken over the last five seconds."""

_TAIL_OFFSETS: Final = 100
"""So near to its end is a changelog begun of which only the ledgers matter."""
_ANSWER_S = 2.0


class Span(NamedTuple):
    """What a partition held when it was begun: ``low``, ``end``; reading began at ``begin``."""

    low: int
    begin: int
    end: int


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
        followed = [state_changelog, *ledger_changelogs]
        self._places = [Place(topics.CONTROL, 0)] + [
            Place(topic, partition) for topic in followed for partition in range(topics.PARTITIONS)
        ]
        self._ledger_changelogs = frozenset(ledger_changelogs)
        self._unread: dict[Place, Span] | None = None
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

    def state_record(self, partition: int, key: bytes) -> bytes | None:
        """Return one state record, None where there is none; raises as :meth:`state_records`."""
        self._require_read()
        with self._lock:
            return self._states[partition].get(key)

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
        if self._unread is None or self._unread:
            raise UnavailableError(
                f"the changelogs and {topics.CONTROL} are not read to their ends yet; if this "
                f"lasts, see that Kafka {self._settings.bootstrap_servers} runs and has the topics"
            )

    def _sample(self) -> LedgerSample:
        return LedgerSample(time.monotonic(), dict(self._ledgers))

    def _new_consumer(self) -> Consumer:
        return reader(self._settings, "imustream-api", _FETCHING)

    def _follow(self, consumer: Consumer) -> None:
        if self._unread is None:
            self._begin(consumer)
            return
        messages = consumer.consume(_MOST_RECORDS, _CONSUME_S)
        with self._lock:
            for message in messages:
                self._take(message, consumer)
            if not self._unread:
                last_s = self._samples[-1].monotonic_s if self._samples else float("-inf")
                if time.monotonic() - last_s >= _SAMPLE_S:
                    self._samples.append(self._sample())

    def _begin(self, consumer: Consumer) -> None:
        """Begin to read, once the brokers say from where to where.

        A busy partition never tells of its end: each fetch of it brings more.
        """
        try:
            spans = {place: self._span(consumer, place) for place in self._places}
        except KafkaException as error:
            log.info("Kafka does not say what changelogs hold: %s", reason(error))
            time.sleep(_CONSUME_S)
            return
        consumer.assign([TopicPartition(*place, span.begin) for place, span in spans.items()])
        with self._lock:
            self._unread = {place: span for place, span in spans.items() if span.end > span.low}

    def _span(self, consumer: Consumer, place: Place) -> Span:
        answer = consumer.get_watermark_offsets(TopicPartition(*place), timeout=_ANSWER_S)
        if answer is None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"offsets of {place}"))
        low, end = answer
        of_ledgers = place.topic in self._ledger_changelogs
        return Span(low, max(low, end - _TAIL_OFFSETS) if of_ledgers else low, end)

    def _take(self, message: Message, consumer: Consumer) -> None:
        topic = message.topic()
        if topic is None:
            return
        place = Place(topic, message.partition() or 0)
        error = message.error()
        if error is None:
            self._keep(place, message)
        at_end = error is not None and error.code() == KafkaError._PARTITION_EOF
        if error is None or at_end:
            self._see_whether_read(place, message.offset() or 0, consumer, at_end=at_end)

    def _keep(self, place: Place, message: Message) -> None:
        topic, key = place.topic, message.key()
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

    def _see_whether_read(
        self, place: Place, offset: int, consumer: Consumer, *, at_end: bool
    ) -> None:
        """See whether all that a partition held when it was begun is read, and its ledger seen."""
        if not self._unread or place not in self._unread:
            return
        span = self._unread[place]
        if offset < span.end - 1:
            return
        if place.topic in self._ledger_changelogs and place not in self._ledgers:
            if span.begin > span.low:
                # It stands further back: read all.
                self._unread[place] = span._replace(begin=span.low)
                consumer.seek(TopicPartition(*place, span.low))
                return
            if not at_end:
                return
        del self._unread[place]
