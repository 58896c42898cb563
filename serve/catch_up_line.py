"""Who waits to catch up, and who of them can share one reading. Pure.

A partition is read once for all whose places in it lie near each other: after a restart a
thousand clients come back at once, to nearly the same offset.
"""

from collections import deque
from collections.abc import Iterable
from typing import Protocol, TypeVar

from serve.live_streams import Place

SHARED_OFFSETS = 5_000
"""Whoever is within so many offsets of the first in line is read for together with it."""


class Waiting(Protocol):
    """Somebody who must catch up in a partition."""

    @property
    def place(self) -> Place:
        """Return the partition."""

    @property
    def next_offset(self) -> int:
        """Return the first offset that is needed."""


Someone = TypeVar("Someone", bound=Waiting)


def together(line: "deque[Someone]") -> list[Someone]:
    """Take the first out of a line that is not empty, and all who can share its reading."""
    first = line[0]
    taken = [one for one in line if _shares(one, first)]
    left = [one for one in line if not _shares(one, first)]
    line.clear()
    line.extend(left)
    return taken


def begin_of(taken: Iterable[Waiting]) -> int:
    """Return the offset to read from for all of them."""
    return min(one.next_offset for one in taken)


def _shares(one: Waiting, first: Waiting) -> bool:
    near = abs(one.next_offset - first.next_offset) <= SHARED_OFFSETS
    return one.place == first.place and near
