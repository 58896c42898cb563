"""What the runtime asks of an operator."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from pipelines.records import InputBatch, Output
from pipelines.redrive.request_record import RedriveRequest

State = TypeVar("State")


class Operator(Protocol[State]):
    """Pure logic over the records of one partition: no clock, no I/O, no Ray.

    The same inputs from the same state give the same outputs and the same state, however the
    inputs are cut into batches.
    """

    @property
    def name(self) -> str:
        """The pipeline's name, as in its transactional ids."""

    @property
    def input_topic(self) -> str:
        """The topic whose partitions its slots own."""

    @property
    def changelog_topic(self) -> str:
        """The topic that keeps its state and ledger."""

    @property
    def rules(self) -> str:
        """The settings that shape its state, in words; state of other rules is not taken over."""

    @property
    def replay_settings(self) -> str:
        """The other settings that its results depend on: they may change, but in no replay."""

    def as_of(self, replay_settings: str) -> "Operator[State]":
        """Return the operator as it was under these settings, to replay what it did then."""

    @property
    def redrives(self) -> bool:
        """Whether it takes its dead letters in again, by `redrive`."""

    def new_state(self, partition: int) -> State:
        """Return the state before the first record of a partition."""

    def restore(
        self, partition: int, records: Iterable[tuple[bytes, bytes]], counts: Mapping[str, int]
    ) -> State:
        """Return the state that `changes` wrote as ``records`` when `counts` were ``counts``."""

    def step(self, state: State, batch: InputBatch) -> list[Output]:
        """Take in a batch: change ``state`` in place and return the records to produce.

        Raises:
            PipelineStoppedError: going on would lose or hide data; ``state`` is then unusable.
        """

    def step_all(self, turns: Sequence[tuple[State, InputBatch]]) -> list[list[Output]]:
        """Step one turn of several partitions; returns the outputs of each. Raises as `step`.

        An operator that gains by working on all of them at once, as a model does, overrides
        what :class:`PartitionByPartition` gives.
        """

    def redrive(self, state: State, request: RedriveRequest, at_offset: int) -> list[Output]:
        """Take in a dead letter again, after the input below ``at_offset``; as `step`.

        It must not raise: a letter that fails again is a new letter.
        """

    def must_save(self, state: State) -> bool:
        """Whether the next transaction must hold a snapshot, as a replay would not give this."""

    def changes(self, state: State) -> list[tuple[bytes, bytes | None]]:
        """Return the state records changed since the last call; None stands for a deleted one."""

    def counts(self, state: State) -> dict[str, int]:
        """Return the cumulative counts of the ledger."""


class PartitionByPartition(Generic[State]):
    """What an operator says that looks at one partition at a time and can always be replayed."""

    rules = ""
    replay_settings = ""
    redrives = False

    def step(self, state: State, batch: InputBatch) -> list[Output]:
        """Take in a batch, as :meth:`Operator.step` says."""
        raise NotImplementedError

    def step_all(self, turns: Sequence[tuple[State, InputBatch]]) -> list[list[Output]]:
        """Step one partition after the other."""
        return [self.step(state, batch) for state, batch in turns]

    def as_of(self, _replay_settings: str) -> Operator[State]:
        """Return itself: its results depend on nothing else."""
        return self  # type: ignore[return-value]  # the operator, of which this is a part

    def redrive(self, state: State, request: RedriveRequest, at_offset: int) -> list[Output]:
        """Take in a dead letter again, as :meth:`Operator.redrive` says."""
        raise NotImplementedError

    def must_save(self, _state: State) -> bool:
        """Say no: a silent replay gives the state back."""
        return False
