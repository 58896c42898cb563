"""Where a file's row groups end: what a query for one sensor and a short time must read. Pure."""

import numpy as np
import numpy.typing as npt

GROUP_ROWS = 20_000
"""Most rows of a group: 100 s of a sensor at 200 Hz, half a megabyte."""


def row_groups(rank: npt.NDArray[np.int32], most: int = GROUP_ROWS) -> list[tuple[int, int]]:
    """Return first row and end of each group, for rows sorted by ``rank``.

    A group holds whole sensors, as many as fit, or a part of one that has more than ``most`` rows:
    so a sensor's rows lie in few groups, whose statistics name few other sensors.
    """
    starts = np.flatnonzero(np.diff(rank, prepend=np.int32(-1)))
    ends = [*starts[1:].tolist(), len(rank)]
    groups: list[tuple[int, int]] = []
    first = 0
    for start, end in zip(starts.tolist(), ends, strict=True):
        if end - first > most and start > first:
            groups.append((first, start))
            first = start
        while end - first > most:
            groups.append((first, first + most))
            first += most
    if first < len(rank):
        groups.append((first, len(rank)))
    return groups
