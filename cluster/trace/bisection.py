"""Find a place among records whose keys rise, without reading them all. Pure."""

from collections.abc import Callable
from typing import NamedTuple

Key = tuple[int, ...]

CLOSE = 32
"""Offsets between which it is cheaper to read on than to halve again."""


class Sight(NamedTuple):
    """A record that has keys, and the largest of them."""

    offset: int
    largest: Key


Probe = Callable[[int, int], Sight | None]
"""(start, end) -> the first record of [start, end) that has keys; None where none has."""


def start_of(low: int, high: int, key: Key, probe: Probe) -> int:
    """Return where to read from to meet the first record with a key not less than ``key``.

    [low, high) are the offsets there are; ``high`` is returned where no record reaches the key.
    It looks about log2 of their number times. A record that came late, its key less than its
    neighbours', can lead past the place.
    """
    found = high
    while high - low > CLOSE:
        middle = (low + high) // 2
        seen = probe(middle, high)
        if seen is None:
            high = middle
        elif seen.largest >= key:
            found, high = seen.offset, middle
        else:
            low = seen.offset + 1
    nearest = probe(low, high) if low < high else None
    return found if nearest is None else nearest.offset
