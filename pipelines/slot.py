"""One run of a slot: from fencing its predecessor to its last transaction.

Each turn polls records, steps them partition by partition, and commits in one transaction what
came of them: outputs, due snapshots and the ledgers, which say where to go on. Dead letters to be
redriven are stepped after the turn's records, in the same transaction. While a transaction is
under way the next turn already polls and steps; it commits only after it. Any failure ends the
run; :mod:`pipelines.slot_loop` starts the next one, which restores what was committed.

The consumer group's offsets are committed beside the transactions, each second, for lag tools: we
never read them. Inside a transaction they would hold it up for ever when a broker restarts
(librdkafka issues 5456 and 5511).
"""

import contextlib
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import chain
from typing import Generic, NamedTuple, TypeVar

from confluent_kafka import Consumer, KafkaException, TopicPartition

from pipelines.batching import group
from pipelines.changelog import Saved, read_changelog
from pipelines.control import ControlState, read_control
from pipelines.errors import PipelineStoppedError, UnavailableError
from pipelines.kafka_clients import (
    Options,
    consumer_options,
    new_consumer,
    unavailable,
    watermarks,
    watermarks_reaching,
)
from pipelines.operators.operator import Operator
from pipelines.owned_partition import OwnedPartition, SlotIdentity
from pipelines.reception import with_reception
from pipelines.records import Output
from pipelines.redrive.feed import RedriveFeed
from pipelines.settings import Settings
from pipelines.slot_metrics import CommitMetrics, TakenIn
from pipelines.slot_run import stop_if_older, stop_if_superseded
from pipelines.topics import CONTENT_TYPE, JSON_TYPE, PARTITIONS
from pipelines.transaction import Transactions

State = TypeVar("State")

FETCH: Options = {"fetch.min.bytes": 64 * 1024, "fetch.wait.max.ms": 8}
"""Fetch a few times a turn, not each time a record comes: each fetch costs the broker as much as
some twenty records."""

BACKLOG_BYTES = 4 * 1024 * 1024
"""A turn of this much shows a backlog, however few its records: the next one waits for no more."""

_LEDGER_HEADERS = ((CONTENT_TYPE, JSON_TYPE.encode()),)
_GROUP_OFFSETS_S = 1.0
_STUCK_S = 10.0
"""How much longer than its timeout a transaction may take before its producer is given up."""


def partitions_of(slot: int, slots: int) -> list[int]:
    """Return the partitions that slot ``slot`` of ``slots`` owns."""
    return list(range(slot, PARTITIONS, slots))


class Turn(NamedTuple):
    """What one transaction commits of each partition, the offsets to tell lag tools, its input."""

    outputs: dict[int, list[Output]]
    changelog: dict[int, list[tuple[bytes, bytes | None]]]
    offsets: list[TopicPartition]
    taken: TakenIn


class Slot(Generic[State]):
    """The clients and the state of one run; not for use by several threads."""

    def __init__(
        self,
        operator: Operator[State],
        settings: Settings,
        identity: SlotIdentity,
        turn_ms: int | None = None,
    ) -> None:
        """Make the clients; nothing is read or fenced before :meth:`open`.

        ``turn_ms``: how long a turn waits for records; as set in ``slot`` unless given.
        """
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
            consumer_options(settings.kafka, f"imustream.{identity.pipeline}") | FETCH
        )
        self._redrives: RedriveFeed | None = None
        if operator.redrives:
            most = settings.slot.max_redrives
            self._redrives = RedriveFeed(settings.kafka, identity.pipeline, self._topic, most)
        self._committer = ThreadPoolExecutor(1, f"commit-{identity.slot}")
        self._under_way: Future[list[TopicPartition]] | None = None
        self._group_offsets_due_s = 0.0
        self._turn_s = (settings.slot.turn_ms if turn_ms is None else turn_ms) / 1000
        self.turn_s = self._turn_s
        self._metrics = CommitMetrics(identity.pipeline)
        self.commits = 0
        self.last_commit_us = 0

    def open(self) -> ControlState:
        """Fence the predecessor, restore what is committed, say so in the ledgers, and consume.

        Returns what pipeline-control said.

        Raises:
            FencedError: this generation is superseded.
            PipelineStoppedError: records that are needed are gone.
            UnavailableError: the brokers did not answer.
        """
        self._transactions.open()
        control = read_control(self._settings.kafka)
        stop_if_superseded(self._identity, control)
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
        if self._redrives is not None:
            self._redrives.begin({p: owned.redrive_offset for p, owned in self._owned.items()})
        self._take_over()
        return control

    def turn(self, wait_s: float) -> int:
        """Take in what comes within ``wait_s`` and hand it on to be committed.

        Returns the number of records.

        Raises:
            FencedError, TransactionAbortedError, UnavailableError: the run is over: this turn or
                the one before it could not be committed.
            PipelineStoppedError: the operator refuses to go on, or a record is too large to be
                written; nothing of that turn is visible.
        """
        try:
            messages = self._consumer.consume(self._settings.slot.max_records, wait_s)
            batches = group(messages)
        except KafkaException as error:
            where = self._settings.kafka.bootstrap_servers
            raise unavailable(error, f"reading {self._topic}", where) from None
        size = sum(sum(map(len, batch.values)) for batch in batches.values())
        self.turn_s = 0.0 if size >= BACKLOG_BYTES else self._turn_s
        fresh = {p: self._owned[p].replay(batch) for p, batch in batches.items()}
        turns = {p: turn for p, turn in fresh.items() if turn is not None}
        stepped = self._operator.step_all(list(turns.values())) if turns else []
        outputs = dict(zip(turns, stepped, strict=True))
        if self._redrives is not None:
            self._redrive(self._redrives, outputs)
        if outputs:
            now_s = time.monotonic()
            due = {
                p for p in outputs if self._snapshot_due_s[p] <= now_s or self._owned[p].must_save
            }
            for partition in due:
                self._snapshot_due_s[partition] = now_s + self._settings.slot.snapshot_s
            received_us = {p: turn[1].received_us for p, turn in turns.items()}
            self._commit_next(outputs, due, TakenIn(size, received_us))
        elif self._under_way is not None and self._under_way.done():
            self._await_commit()
        return len(messages)

    def finish(self) -> None:
        """Write the snapshots that spare the next run its replay; raises as :meth:`turn`."""
        behind = {p for p, owned in self._owned.items() if owned.snapshot_behind}
        if behind:
            self._commit_next({partition: [] for partition in behind}, behind, TakenIn(0, {}))
        self._await_commit()

    def close(self) -> None:
        """Let a commit under way end, and drop the clients; the next run aborts what is open."""
        self._committer.shutdown(wait=self._under_way is None or self._ended(self._under_way))
        self._transactions.close()
        self._consumer.close()
        if self._redrives is not None:
            self._redrives.close()

    def _redrive(self, redrives: RedriveFeed, outputs: dict[int, list[Output]]) -> None:
        """Step the letters that are asked for, once no partition is to be replayed any more."""
        if any(owned.replaying for owned in self._owned.values()):
            return
        for partition, asked in redrives.take().items():
            made = self._owned[partition].redrive(*asked)
            if made:
                outputs.setdefault(partition, []).extend(made)

    def _take_over(self) -> None:
        """Commit the ledgers in this slot's name: it is seen to own its partitions from now on."""
        committed_us = time.time_ns() // 1000
        self._transactions.begin()
        for partition, owned in self._owned.items():
            self._produce_changelog(partition, owned.takeover_records(committed_us))
        self._transactions.commit()

    def _produce_changelog(self, partition: int, records: list[tuple[bytes, bytes | None]]) -> None:
        topic = self._operator.changelog_topic
        for key, value in records:
            self._transactions.produce(topic, partition, key, value, _LEDGER_HEADERS)

    def _commit_next(
        self, outputs: dict[int, list[Output]], snapshots: set[int], taken: TakenIn
    ) -> None:
        """Start the next transaction, once the one before it is committed."""
        committed_us = time.time_ns() // 1000
        turn = Turn(
            outputs,
            {p: self._owned[p].changelog_records(committed_us, p in snapshots) for p in outputs},
            [TopicPartition(self._topic, p, self._owned[p].next_offset) for p in outputs],
            taken,
        )
        self._await_commit()
        self._under_way = self._committer.submit(self._commit, turn)

    def _await_commit(self) -> None:
        if self._under_way is None:
            return
        if not self._ended(self._under_way):
            raise UnavailableError(
                f"a transaction of {self._identity.transactional_id} neither committed nor "
                "failed in time: see that the brokers run (`imustream status`)"
            )
        under_way, self._under_way = self._under_way, None
        self._commit_group_offsets(under_way.result())

    def _ended(self, under_way: Future[list[TopicPartition]]) -> bool:
        timeout_s = self._settings.slot.transaction_timeout_s + _STUCK_S
        return bool(wait([under_way], timeout_s).done)

    def _commit(self, turn: Turn) -> list[TopicPartition]:
        transactions = self._transactions
        began_s = time.monotonic()
        transactions.begin()
        for partition, outputs in turn.outputs.items():
            received_us = turn.taken.received_us.get(partition)
            for topic, key, value, headers in with_reception(outputs, received_us):
                transactions.produce(topic, partition, key, value, headers)
        for partition, records in turn.changelog.items():
            self._produce_changelog(partition, records)
        transactions.commit()
        self.commits += 1
        self.last_commit_us = time.time_ns() // 1000
        took_s = time.monotonic() - began_s
        committed = chain.from_iterable(turn.outputs.values())
        self._metrics.tell(turn.taken, committed, took_s, self.last_commit_us)
        return turn.offsets

    def _commit_group_offsets(self, offsets: list[TopicPartition]) -> None:
        """Tell lag tools, now and then; here, because the consumer serves one thread at a time."""
        now_s = time.monotonic()
        if now_s >= self._group_offsets_due_s:
            self._group_offsets_due_s = now_s + _GROUP_OFFSETS_S
            with contextlib.suppress(KafkaException):
                self._consumer.commit(offsets=offsets, asynchronous=True)

    def _first_offset(self, partition: int, saved: Saved) -> int:
        """Return where an unknown partition begins, once what is needed is seen to exist."""
        ledger = saved.ledger
        if ledger is None:
            return watermarks(self._consumer, self._topic, partition)[0]
        stop_if_older(self._identity, ledger.generation)
        low, high = watermarks_reaching(self._consumer, self._topic, partition, ledger.next_offset)
        needed = ledger.snapshot_offset
        if low <= needed and ledger.next_offset <= high:
            return low
        raise PipelineStoppedError(
            f"{self._topic}/{partition}: {self._identity.pipeline} must go on at offset "
            f"{needed} and the log holds {low} to {high}: records were deleted before it read "
            f"them. Bring them back, or delete {self._operator.changelog_topic} to begin anew "
            f"at {low}; then pause and resume the pipeline"
        )
