"""One run of a slot: from fencing its predecessor to its last transaction.

Each turn polls records, steps them partition by partition, and commits in one transaction what
came of them: outputs, ledgers, due snapshots and the consumed offsets. Any failure ends the run;
:mod:`pipelines.slot_loop` starts the next one, which restores what was committed.
"""

import time
from typing import Generic, TypeVar

from confluent_kafka import Consumer, KafkaException, TopicPartition

from pipelines.batching import group
from pipelines.changelog import Saved, read_changelog
from pipelines.control import ControlState, read_control
from pipelines.errors import FencedError, PipelineStoppedError
from pipelines.kafka_clients import consumer_options, new_consumer, unavailable, watermarks
from pipelines.operators.operator import Operator
from pipelines.owned_partition import OwnedPartition, SlotIdentity
from pipelines.records import Output
from pipelines.settings import Settings
from pipelines.topics import CONTENT_TYPE, JSON_TYPE, PARTITIONS
from pipelines.transaction import Transactions

State = TypeVar("State")

_LEDGER_HEADERS = ((CONTENT_TYPE, JSON_TYPE.encode()),)
_END_AWAITED_S = 10.0
_END_POLL_S = 0.1


def partitions_of(slot: int, slots: int) -> list[int]:
    """Return the partitions that slot ``slot`` of ``slots`` owns."""
    return list(range(slot, PARTITIONS, slots))


class Slot(Generic[State]):
    """The clients and the state of one run; not for use by several threads."""

    def __init__(
        self, operator: Operator[State], settings: Settings, identity: SlotIdentity
    ) -> None:
        """Make the clients; nothing is read or fenced before :meth:`open`."""
        self._operator = operator
        self._settings = settings
        self._identity = identity
        self._topic = operator.input_topic
        self._owned: dict[int, OwnedPartition[State]] = {}
        self._snapshot_due_s: dict[int, float] = {}
        self._transactions = Transactions(
            settings.kafka, identity.transactional_id, settings.slot.transaction_timeout_s
        )
        self._consumer: Consumer = new_consumer(
            consumer_options(settings.kafka, f"imustream.{identity.pipeline}")
        )

    def open(self) -> ControlState:
        """Fence the predecessor, restore what is committed, and begin to consume.

        Returns what pipeline-control said.

        Raises:
            FencedError: this generation is superseded.
            PipelineStoppedError: records that are needed are gone.
            UnavailableError: the brokers did not answer.
        """
        self._transactions.open()
        control = read_control(self._settings.kafka)
        record = control.pipelines.get(self._identity.pipeline)
        if record is not None:
            self._stop_if_superseded(record.generation)
        partitions = partitions_of(self._identity.slot, self._identity.slots)
        saved = read_changelog(self._settings.kafka, self._operator.changelog_topic, partitions)
        now_s = time.monotonic()
        for row, partition in enumerate(partitions):
            first = self._first_offset(partition, saved[partition])
            self._owned[partition] = OwnedPartition(
                self._operator, self._identity, partition, saved[partition], first
            )
            # Spread over the turns, so that no turn writes the snapshots of all.
            share = (row + 1) / len(partitions)
            self._snapshot_due_s[partition] = now_s + self._settings.slot.snapshot_s * share
        self._consumer.assign(
            [
                TopicPartition(self._topic, partition, owned.position)
                for partition, owned in self._owned.items()
            ]
        )
        return control

    def turn(self, wait_s: float) -> int:
        """Take in what comes within ``wait_s`` and commit it; returns the number of records.

        Raises:
            FencedError, TransactionAbortedError, UnavailableError, PipelineStoppedError: the run
                is over; nothing of this turn is visible.
        """
        try:
            messages = self._consumer.consume(self._settings.slot.max_records, wait_s)
            batches = group(messages)
        except KafkaException as error:
            where = self._settings.kafka.bootstrap_servers
            raise unavailable(error, f"reading {self._topic}", where) from None
        outputs: dict[int, list[Output]] = {}
        for partition, batch in batches.items():
            produced = self._owned[partition].step(batch)
            if produced is not None:
                outputs[partition] = produced
        if outputs:
            now_s = time.monotonic()
            due = {p for p in outputs if self._snapshot_due_s[p] <= now_s}
            self._commit(outputs, due)
            for partition in due:
                self._snapshot_due_s[partition] = now_s + self._settings.slot.snapshot_s
        return len(messages)

    def finish(self) -> None:
        """Write the snapshots that spare the next run its replay; raises as :meth:`turn`."""
        behind = {p for p, owned in self._owned.items() if owned.snapshot_behind}
        if behind:
            self._commit({partition: [] for partition in behind}, behind)

    def close(self) -> None:
        """Drop the clients; a transaction still open is aborted by the next run."""
        self._transactions.close()
        self._consumer.close()

    def _commit(self, outputs: dict[int, list[Output]], snapshots: set[int]) -> None:
        transactions, changelog = self._transactions, self._operator.changelog_topic
        committed_us = time.time_ns() // 1000
        transactions.begin()
        for partition, produced in outputs.items():
            for topic, key, value, headers in produced:
                transactions.produce(topic, partition, key, value, headers)
            records = self._owned[partition].changelog_records(committed_us, partition in snapshots)
            for state_key, state in records:
                transactions.produce(changelog, partition, state_key, state, _LEDGER_HEADERS)
        transactions.send_offsets(
            [
                TopicPartition(self._topic, partition, self._owned[partition].next_offset)
                for partition in outputs
            ],
            self._consumer,
        )
        transactions.commit()

    def _stop_if_superseded(self, generation: int) -> None:
        if generation > self._identity.generation:
            raise FencedError(
                f"slot {self._identity.slot} of {self._identity.pipeline}: generation "
                f"{self._identity.generation} is superseded by {generation}: it stops"
            )

    def _first_offset(self, partition: int, saved: Saved) -> int:
        """Return where an unknown partition begins, once what is needed is seen to exist."""
        low, high = watermarks(self._consumer, self._topic, partition)
        ledger = saved.ledger
        if ledger is None:
            return low
        self._stop_if_superseded(ledger.generation)
        deadline = time.monotonic() + _END_AWAITED_S
        while high < ledger.next_offset and time.monotonic() < deadline:
            # A broker that has just become the leader learns of the last records with a delay.
            time.sleep(_END_POLL_S)
            low, high = watermarks(self._consumer, self._topic, partition)
        needed = ledger.snapshot_offset
        if low <= needed and ledger.next_offset <= high:
            return low
        raise PipelineStoppedError(
            f"{self._topic}/{partition}: {self._identity.pipeline} must go on at offset "
            f"{needed} and the log holds {low} to {high}: records were deleted before it read "
            f"them. Bring them back, or delete {self._operator.changelog_topic} to begin anew "
            f"at {low}; then pause and resume the pipeline"
        )
