"""One input partition in the hands of a slot: its state, how far it is, what to write of it.

Pure: the slot brings the records and the time, and produces what comes back.
"""

from collections.abc import Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from msgspec.structs import replace

from pipelines.batching import split
from pipelines.changelog import Saved
from pipelines.errors import PipelineStoppedError
from pipelines.ledger import LEDGER_KEY, SNAPSHOT_KEY, Ledger, Snapshot, encode
from pipelines.operators.operator import Operator
from pipelines.records import InputBatch, Output
from pipelines.redrive.letter import REDRIVE_OF
from pipelines.redrive.receipt import Outcome, Receipt, receipt_record
from pipelines.redrive.redriven_letters import RedrivenLetters
from pipelines.redrive.request_record import BadRequest, RedriveRequest

State = TypeVar("State")

_COUNT_OF: Mapping[Outcome, str] = {
    "redriven": "redriven",
    "repeated": "redrive_repeated",
    "refused": "redrive_refused",
}
"""What the ledger counts of redrives, beside what the operator counts."""


class SlotIdentity(NamedTuple):
    """Which slot this is: slot ``slot`` of ``slots`` in a generation of a pipeline."""

    pipeline: str
    generation: int
    slot: int
    slots: int
    code_version: str

    @property
    def transactional_id(self) -> str:
        """The id under which this slot, and none else, commits."""
        return transactional_id(self.pipeline, self.generation, self.slot)


def transactional_id(pipeline: str, generation: int, slot: int) -> str:
    """Return the transactional id of a slot of a generation."""
    return f"imustream.{pipeline}.{generation}.{slot}"


class OwnedPartition(Generic[State]):
    """State restored from a snapshot is stepped silently up to what was already committed.

    ``position``:    the first input offset not stepped yet; begin to consume here
    ``next_offset``: the first input offset whose outputs are not committed yet
    ``redrive_offset``: the first offset of dead-letters not looked at for requests to redrive
    """

    def __init__(
        self,
        operator: Operator[State],
        identity: SlotIdentity,
        partition: int,
        saved: Saved,
        first_offset: int,
    ) -> None:
        """Restore the state; ``first_offset`` is where a partition without a ledger begins.

        Raises:
            PipelineStoppedError: the state was made under other rules.
        """
        self._operator = operator
        self._identity = identity
        self.partition = partition
        # What was committed since a snapshot is replayed under the settings of then; so the first
        # transaction under others must hold a snapshot.
        self._replayed_by = operator
        self._must_snapshot = saved.snapshot is None
        if saved.snapshot is None:
            self._state = operator.new_state(partition)
        else:
            self._replayed_by = operator.as_of(saved.snapshot.replay_settings)
            self._must_snapshot = saved.snapshot.replay_settings != operator.replay_settings
            self._require_same_rules(saved.snapshot.rules)
            self._state = operator.restore(partition, saved.records.items(), saved.snapshot.counts)
        self._ledger = saved.ledger or Ledger(
            pipeline=identity.pipeline,
            partition=partition,
            generation=identity.generation,
            slot=identity.slot,
            next_offset=first_offset,
            snapshot_offset=first_offset,
            committed_us=0,
            code_version=identity.code_version,
            counts=operator.counts(self._state),
        )
        self.position = self._ledger.snapshot_offset
        self.next_offset = self._ledger.next_offset
        self.redrive_offset = self._ledger.redrive_offset
        self._redriven = RedrivenLetters(saved.redriven)
        self._redrive_counts = {
            name: self._ledger.counts[name]
            for name in _COUNT_OF.values()
            if name in self._ledger.counts
        }

    @property
    def replaying(self) -> bool:
        """Whether the state is still behind what was committed."""
        return self.position < self.next_offset

    @property
    def snapshot_behind(self) -> bool:
        """Whether a snapshot now would spare a restart any replay."""
        return not self.replaying and self._ledger.snapshot_offset < self.next_offset

    @property
    def must_save(self) -> bool:
        """Whether the next transaction must hold a snapshot.

        The operator may ask for it. So do the first transaction under changed settings, and a
        redrive: a replay steps the input alone, by one set of settings, and must begin behind.
        """
        return self._must_snapshot or self._operator.must_save(self._state)

    def replay(self, batch: InputBatch) -> tuple[State, InputBatch] | None:
        """Take in what had been committed before, and return the rest for the operator to step.

        None when there is no rest.
        """
        fresh: InputBatch | None = batch
        if self.replaying:
            known, fresh = split(batch, self.next_offset)
            if known is not None:
                self._replayed_by.step(self._state, known)
                self.position = int(known.offsets[-1]) + 1
        if fresh is None:
            return None
        self.position = self.next_offset = int(fresh.offsets[-1]) + 1
        return self._state, fresh

    def redrive(
        self, requests: Sequence[RedriveRequest | BadRequest], read_to: int, low: int
    ) -> list[Output]:
        """Step letters again, each once, and say of each request what became of it.

        Call it only when nothing is to be replayed any more.

        Args:
            requests: what was read of dead-letters, in order.
            read_to: the first offset of dead-letters not read yet.
            low: the first that retention has left there.
        """
        assert not self.replaying
        self._redriven.forget_below(low)
        outputs: list[Output] = []
        for request in requests:
            outputs += self._redrive(request, low)
        self.redrive_offset = read_to
        return outputs

    def takeover_records(self, committed_us: int) -> list[tuple[bytes, bytes | None]]:
        """Return the ledger as it was, in the name of this slot: it owns the partition now."""
        return [self._ledger_record(committed_us)]

    def changelog_records(
        self, committed_us: int, with_snapshot: bool
    ) -> list[tuple[bytes, bytes | None]]:
        """Return what this transaction must write of the partition: the ledger, maybe the state.

        The records count only if the transaction commits; otherwise drop this object.
        """
        counts = self._operator.counts(self._state)
        self._ledger = replace(
            self._ledger,
            next_offset=self.next_offset,
            counts=counts | self._redrive_counts,
            redrive_offset=self.redrive_offset,
        )
        records = self._redriven.take_changes()
        if with_snapshot:
            self._must_snapshot = False
            records.extend(self._operator.changes(self._state))
            self._ledger = replace(self._ledger, snapshot_offset=self.next_offset)
            operator = self._operator
            snapshot = Snapshot(self.next_offset, counts, operator.rules, operator.replay_settings)
            records.append((SNAPSHOT_KEY, encode(snapshot)))
        records.append(self._ledger_record(committed_us))
        return records

    def _redrive(self, request: RedriveRequest | BadRequest, low: int) -> list[Output]:
        if isinstance(request, BadRequest):
            return [self._receipt(request, "refused", request.why)]
        if request.letter in self._redriven:
            return [self._receipt(request, "repeated")]
        why = self._why_not(request, low)
        if why:
            return [self._receipt(request, "refused", why)]
        before = self._operator.counts(self._state)
        outputs = self._operator.redrive(self._state, request, self.next_offset)
        after = self._operator.counts(self._state)
        self._redriven.add(request.letter)
        self._must_snapshot = True
        made = {name: n - before[name] for name, n in after.items() if n != before[name]}
        header = (REDRIVE_OF, b"%d" % request.letter)
        return [
            *(output._replace(headers=[*output.headers, header]) for output in outputs),
            self._receipt(request, "redriven", counts=made),
        ]

    def _why_not(self, request: RedriveRequest, low: int) -> str:
        if request.letter < low:
            return f"retention has deleted dead-letters/{self.partition} below {low}"
        if request.letter >= request.offset:
            return "the letter comes after the request"
        if request.source_offset >= self.next_offset:
            return f"its source is not stepped yet: the input is at {self.next_offset}"
        return ""

    def _receipt(
        self,
        request: RedriveRequest | BadRequest,
        outcome: Outcome,
        why: str = "",
        counts: dict[str, int] | None = None,
    ) -> Output:
        name = _COUNT_OF[outcome]
        self._redrive_counts[name] = self._redrive_counts.get(name, 0) + 1
        receipt = Receipt(
            request.letter, request.offset, self.next_offset, outcome, why, counts or {}
        )
        key = request.key if isinstance(request, RedriveRequest) else None
        identity = self._identity
        return receipt_record(
            receipt, key, identity.pipeline, self.partition, identity.code_version
        )

    def _require_same_rules(self, rules: str) -> None:
        if rules not in ("", self._operator.rules):
            raise PipelineStoppedError(
                f"{self._identity.pipeline}: the state of partition {self.partition} was made with "
                f"{rules}, and the settings say {self._operator.rules}: set them back, or delete "
                f"{self._operator.changelog_topic} and what came of it to begin anew"
            )

    def _ledger_record(self, committed_us: int) -> tuple[bytes, bytes]:
        self._ledger = replace(
            self._ledger,
            generation=self._identity.generation,
            slot=self._identity.slot,
            committed_us=committed_us,
            code_version=self._identity.code_version,
        )
        return LEDGER_KEY, encode(self._ledger)
