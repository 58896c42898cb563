"""What the runtime asks of an operator."""

from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar

from pipelines.records import InputBatch, Output

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

    def changes(self, state: State) -> list[tuple[bytes, bytes | None]]:
        """Return the state records changed since the last call; None stands for a deleted one."""

    def counts(self, state: State) -> dict[str, int]:
        """Return the cumulative counts of the ledger."""
