"""What a trace says of each stage a sample passes. Pure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """Whether a sample is at a stage."""

    HERE = "here"
    WAITING = "waiting"
    """It has not come yet, and will."""
    NEVER = "never"
    """It does not come; the words say why."""
    UNKNOWN = "unknown"
    """Whether it came cannot be told any more, or not in the time there was."""


@dataclass(frozen=True)
class Stage:
    """One stage.

    place:  ``topic/partition/offset``, a file of the archive or a document
    at_us:  when it came, microseconds since the epoch, by the clock of who wrote it there
    words:  for people; facts: for programs
    """

    name: str
    state: State
    words: str
    place: str | None = None
    at_us: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Trace:
    """Where a sample is or was.

    trace_id: ``topic/partition/offset`` of the raw record that brought it; None if not found
    complete: whether there was time to look everywhere
    """

    sensor_id: str
    sample: int
    boot: int | None
    trace_id: str | None
    received_us: int | None
    stages: tuple[Stage, ...]
    complete: bool

    @property
    def found(self) -> bool:
        """Whether it is anywhere, be it in the dead letters."""
        return any(stage.state is State.HERE for stage in self.stages)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON says it, with the time since its reception at each stage."""
        stages = [
            {**asdict(stage), "after_us": _after(stage.at_us, self.received_us)}
            for stage in self.stages
        ]
        return {**asdict(self), "found": self.found, "stages": stages}


def _after(at_us: int | None, received_us: int | None) -> int | None:
    return None if at_us is None or received_us is None else at_us - received_us
