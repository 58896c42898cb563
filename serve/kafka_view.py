"""What Kafka says of sensors and pipelines, kept up to date by one thread.

`api` has no state of its own: it reads the changelog from its beginning, then follows it. Values
stay as they came; they are decoded when somebody asks.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from pipelines import topics
from pipelines.compacted import reader
from pipelines.control import ControlState, fold
from pipelines.errors import UnavailableError
from pipelines.kafka_clients import LOGGER, Options, client_options, unavailable
from pipelines.ledger import LEDGER_KEY
from pipelines.settings import KafkaSettings

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
_END_OFFSETS_AGE_S = 1.0
_END_OFFSETS_TIMEOUT_S = 3.0


class LedgerSample(NamedTuple):
    """The ledger records of all partitions as they stood at one moment, undecoded."""

    monotonic_s: float
    ledgers: Mapping[int, bytes]


class KafkaView:
    """Follows one pipeline's changelog and pipeline-control; any thread may ask it."""

    def __init__(self, settings: KafkaSettings, changelog: str, input_topic: str) -> None:
        self._settings = settings
        self._changelog = changelog
        self._input_topic = input_topic
        self._values: dict[int, dict[bytes, bytes]] = {p: {} for p in range(topics.PARTITIONS)}
        self._control = ControlState()
        self._unread = {(changelog, p) for p in range(topics.PARTITIONS)} | {(topics.CONTROL, 0)}
        self._samples: deque[LedgerSample] = deque(maxlen=_SAMPLES)
        self._lock = threading.Lock()
        self._end_offsets: dict[int, int] = {}
        self._end_offsets_at_s = float("-inf")
        self._admin = AdminClient(client_options(settings, "imustream-api"), logger=LOGGER)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kafka-view", daemon=True)

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

    def state_records(self) -> Values:
        """Return the state records, without ledgers.

        Raises:
            UnavailableError: the changelog has not been read to its end yet.
        """
        self._require_read()
        with self._lock:
            return {partition: dict(values) for partition, values in self._values.items()}

    def control(self) -> ControlState:
        """Return what pipeline-control says.

        Raises:
            UnavailableError: it has not been read to its end yet.
        """
        self._require_read()
        with self._lock:
            return ControlState(dict(self._control.pipelines), dict(self._control.alarms))

    def ledgers(self) -> tuple[LedgerSample, LedgerSample]:
        """Return the ledgers of some seconds ago and those of now; the same twice at first.

        Raises:
            UnavailableError: the changelog has not been read to its end yet.
        """
        self._require_read()
        with self._lock:
            now = self._sample()
            return (self._samples[0] if self._samples else now), now

    def end_offsets(self) -> Mapping[int, int]:
        """Return the offset after the last committed input record of each partition.

        Asks the brokers, at most once a second, so call it outside an event loop.

        Raises:
            UnavailableError: the brokers did not answer.
        """
        with self._lock:
            if time.monotonic() - self._end_offsets_at_s < _END_OFFSETS_AGE_S:
                return self._end_offsets
        request = {
            TopicPartition(self._input_topic, partition): OffsetSpec.latest()  # type: ignore[no-untyped-call]
            for partition in range(topics.PARTITIONS)
        }
        try:
            answers = self._admin.list_offsets(
                request,
                isolation_level=IsolationLevel.READ_COMMITTED,
                request_timeout=_END_OFFSETS_TIMEOUT_S,
            )
            offsets = {
                place.partition: answer.result(_END_OFFSETS_TIMEOUT_S).offset
                for place, answer in answers.items()
            }
        except (KafkaException, TimeoutError) as error:
            failed = error if isinstance(error, KafkaException) else KafkaException("no answer")
            raise unavailable(
                failed, f"asking where {self._input_topic} ends", self._settings.bootstrap_servers
            ) from None
        with self._lock:
            self._end_offsets, self._end_offsets_at_s = offsets, time.monotonic()
        return offsets

    def _require_read(self) -> None:
        if self._unread:
            raise UnavailableError(
                f"{self._changelog} and {topics.CONTROL} are not read to their ends yet; if this "
                f"lasts, see that Kafka {self._settings.bootstrap_servers} runs and has the topics"
            )

    def _sample(self) -> LedgerSample:
        ledgers = {p: v[LEDGER_KEY] for p, v in self._values.items() if LEDGER_KEY in v}
        return LedgerSample(time.monotonic(), ledgers)

    def _run(self) -> None:
        consumer = reader(self._settings, "imustream-api", _FETCHING)
        try:
            consumer.assign([TopicPartition(*place, OFFSET_BEGINNING) for place in self._unread])
            while not self._stopping.is_set():
                self._follow(consumer)
        except Exception:
            log.exception("reading Kafka for api failed")
        finally:
            consumer.close()

    def _follow(self, consumer: Consumer) -> None:
        messages = consumer.consume(_MOST_RECORDS, _CONSUME_S)
        with self._lock:
            for message in messages:
                self._take(message)
            if not self._unread:
                last_s = self._samples[-1].monotonic_s if self._samples else float("-inf")
                if time.monotonic() - last_s >= _SAMPLE_S:
                    self._samples.append(self._sample())

    def _take(self, message: Message) -> None:
        topic, partition, key = message.topic(), message.partition(), message.key()
        error = message.error()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF and topic and partition is not None:
                self._unread.discard((topic, partition))
            return
        if key is None or partition is None:
            return
        value = message.value()
        if topic == topics.CONTROL:
            fold(self._control, key, value)
        elif value is None:
            self._values[partition].pop(key, None)
        else:
            self._values[partition][key] = value
