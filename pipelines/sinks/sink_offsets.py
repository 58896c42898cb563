"""How far a sink is: offsets of its consumer group, committed in transactions that fence.

A sink has no changelog. What it must find again after a restart stands in the metadata of the
group's offsets; dead letters go in the same transaction, so that each is there once. The
transactional id is that of the slot, so a predecessor that is still alive can commit no more.
"""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import NamedTuple

import msgspec
from confluent_kafka import Consumer, KafkaException, TopicPartition

from pipelines import metrics
from pipelines.control import ControlState, read_control
from pipelines.errors import DataError, UnavailableError
from pipelines.kafka_clients import (
    REQUEST_TIMEOUT_S,
    Options,
    consumer_options,
    new_consumer,
    retry_transient,
    unavailable,
)
from pipelines.owned_partition import SlotIdentity
from pipelines.records import Output
from pipelines.settings import KafkaSettings, Settings
from pipelines.slot_metrics import tell_letters
from pipelines.slot_run import stop_if_older, stop_if_superseded
from pipelines.transaction import Transactions

_STUCK_S = 10.0
"""How much longer than its timeout a commit may take before its producer is given up: librdkafka
can wait for ever in it when a broker restarts (its issues 5456 and 5511)."""


class Place(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int


class Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a sink is with one partition, and who committed it.

    next_offset: the first input offset that is not in the store
    intent_end:  the end of the range that was being written from there when this was committed;
                 None when none was
    counts:      cumulative counts of the sink
    range_start: where the next range to be written begins, if that is before next_offset: the
                 records in between had nothing to be written, and need not be read again
    """

    next_offset: int
    generation: int
    slot: int
    code_version: str
    intent_end: int | None = None
    committed_us: int = 0
    counts: dict[str, int] = {}
    range_start: int | None = None


def group_of(pipeline: str) -> str:
    """Return the consumer group that holds a sink's offsets."""
    return f"imustream.{pipeline}"


class SinkOffsets:
    """Fences, reads and commits the marks of one slot of a sink."""

    def __init__(
        self, settings: Settings, identity: SlotIdentity, options: Options | None = None
    ) -> None:
        """Make the clients; nothing is fenced before :meth:`open`.

        ``options``: further options of the consumer.
        """
        self._settings = settings
        self._identity = identity
        self._timeout_s = settings.slot.transaction_timeout_s
        self._transactions = Transactions(
            settings.kafka, identity.transactional_id, self._timeout_s
        )
        self.consumer: Consumer = new_consumer(
            consumer_options(settings.kafka, group_of(identity.pipeline)) | (options or {})
        )
        self._committer = ThreadPoolExecutor(1, f"commit-{identity.pipeline}")

    def open(self, places: Sequence[Place]) -> tuple[ControlState, dict[Place, Mark]]:
        """Fence the predecessor; return pipeline-control and the marks there are.

        Raises:
            FencedError: a newer instance or generation runs.
            UnavailableError: the brokers did not answer.
        """
        self._transactions.open()
        control = read_control(self._settings.kafka)
        stop_if_superseded(self._identity, control)
        marks = read_marks(self._settings.kafka, self.consumer, places)
        for mark in marks.values():
            stop_if_older(self._identity, mark.generation)
        return control, marks

    def commit(
        self, marks: Mapping[Place, Mark], letters: Sequence[tuple[int, Output]] = ()
    ) -> None:
        """Commit marks and, in the same transaction, dead letters with their partitions.

        Raises:
            FencedError, TransactionAbortedError, UnavailableError: as
                :class:`pipelines.transaction.Transactions`; the run is over.
        """
        offsets = [
            TopicPartition(*place, mark.next_offset, metadata=msgspec.json.encode(mark).decode())
            for place, mark in marks.items()
        ]
        under_way = self._committer.submit(self._commit, offsets, letters)
        if not wait([under_way], self._timeout_s + _STUCK_S).done:
            raise UnavailableError(
                f"a commit of {self._identity.transactional_id} neither ended nor failed in "
                "time: see that the brokers run (`imustream status`)"
            )
        under_way.result()

    def close(self) -> None:
        """Drop the clients; the next run aborts what is open."""
        self._committer.shutdown(wait=False)
        self._transactions.close()
        self.consumer.close()

    def _commit(self, offsets: list[TopicPartition], letters: Sequence[tuple[int, Output]]) -> None:
        began_s = time.monotonic()
        self._transactions.begin()
        for partition, (topic, key, value, headers) in letters:
            self._transactions.produce(topic, partition, key, value, headers)
        self._transactions.send_offsets(offsets, self.consumer.consumer_group_metadata())
        self._transactions.commit()
        pipeline = self._identity.pipeline
        metrics.TRANSACTION_SECONDS.observe(time.monotonic() - began_s, pipeline)
        tell_letters(pipeline, (output for _, output in letters))


def read_marks(
    settings: KafkaSettings, consumer: Consumer, places: Sequence[Place]
) -> dict[Place, Mark]:
    """Return the marks of these partitions that the consumer's group has.

    Raises:
        UnavailableError: the brokers did not answer.
        DataError: an offset was committed by something else.
    """
    asked = [TopicPartition(*place) for place in places]
    try:
        answers = retry_transient(lambda: consumer.committed(asked, timeout=REQUEST_TIMEOUT_S))
    except KafkaException as error:
        raise unavailable(error, "reading committed offsets", settings.bootstrap_servers) from None
    marks = {}
    for answer in answers:
        if answer.offset is None or answer.offset < 0:
            continue
        place = Place(answer.topic, answer.partition)
        try:
            marks[place] = msgspec.json.decode(answer.metadata or "", type=Mark)
        except msgspec.DecodeError:
            raise DataError(
                f"the committed offset of {place.topic}/{place.partition} is not one of ours: "
                "another program commits under this consumer group; stop it, and delete the group"
            ) from None
    return marks


def read_group_marks(
    settings: KafkaSettings, pipeline: str, places: Sequence[Place]
) -> dict[Place, Mark]:
    """Return the marks of a sink, whoever runs it; raises as :func:`read_marks`."""
    consumer = new_consumer(consumer_options(settings, group_of(pipeline)))
    try:
        return read_marks(settings, consumer, places)
    finally:
        consumer.close()
