"""How a verification tells how far it is."""

from typing import Protocol


class Progress(Protocol):
    """Called while reading: how much of a partition of the present stage is done and to do."""

    def __call__(self, partition: int, done: int, total: int) -> None: ...


class StageProgress(Protocol):
    """Called while reading: the stage, and what :class:`Progress` says."""

    def __call__(self, stage: str, partition: int, done: int, total: int) -> None: ...


def silent(stage: str, partition: int, done: int, total: int) -> None:
    """Show no progress."""
