"""What the runtime asks of one run of a slot, whatever the pipeline does with its partitions."""

from collections.abc import Callable
from typing import Protocol

from pipelines.control import ControlState
from pipelines.errors import FencedError
from pipelines.owned_partition import SlotIdentity


class SlotRun(Protocol):
    """One run: from fencing its predecessor to its last commit; any error ends it.

    ``turn_s``:         how long a turn waits for records where there is no backlog
    ``commits``:        how many commits this run has made; ``last_commit_us`` is when the last was
    """

    turn_s: float
    commits: int
    last_commit_us: int

    def open(self) -> ControlState:
        """Fence the predecessor, find where to go on, begin to read; return pipeline-control.

        Raises:
            FencedError: a newer instance or generation runs.
            PipelineStoppedError: what is needed to go on is gone.
            UnavailableError: a server did not answer.
        """

    def turn(self, wait_s: float) -> int:
        """Take in what comes within ``wait_s``; return the number of records. Raises as `open`."""

    def finish(self) -> None:
        """Settle what is under way before an orderly end. Raises as `open`."""

    def close(self) -> None:
        """Drop the clients; the next run settles what is open."""


NewRun = Callable[[], SlotRun]
"""Starts the next run of a slot."""


def stop_if_superseded(identity: SlotIdentity, control: ControlState) -> None:
    """Give way to a newer generation that pipeline-control names; raises FencedError."""
    record = control.pipelines.get(identity.pipeline)
    if record is not None:
        stop_if_older(identity, record.generation)


def stop_if_older(identity: SlotIdentity, generation: int) -> None:
    """Give way where ``generation`` has committed already; raises FencedError."""
    if generation > identity.generation:
        raise FencedError(
            f"slot {identity.slot} of {identity.pipeline}: generation "
            f"{identity.generation} is superseded by {generation}: it stops"
        )
