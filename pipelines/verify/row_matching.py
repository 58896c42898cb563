"""Match the predictions that must be there with those that are, both in order."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from pipelines.verify.predicted_rows import Predicted, PredictionStream

LOOKAHEAD: Final = 100_000
"""How far a row that is not where it must be is searched."""

_Ints = npt.NDArray[np.int64]


class Expected(NamedTuple):
    """Columns of ``n`` rows that must be predicted."""

    sensor: _Ints
    boot: _Ints
    number: _Ints

    @property
    def size(self) -> int:
        """How many rows there are."""
        return len(self.sensor)


class Matched(NamedTuple):
    """What became of the expected rows.

    found: the predictions of all of them; of a lost row, zeros
    lost:  ``(n,) bool``
    extra: predictions in between that were not expected
    cut:   whether the search was given up: there are too many differences
    """

    found: Predicted
    lost: npt.NDArray[np.bool_]
    extra: Predicted
    cut: bool


def match(expected: Expected, stream: PredictionStream, most_differences: int) -> Matched:
    """Take from the stream what belongs to the expected rows."""
    count = expected.size
    found = stream.take(count)
    if found.size == count and _equal(expected, found, 0, 0, count).all():
        return Matched(found, np.zeros(count, np.bool_), found.part(0, 0), cut=False)
    stream.give_back(found)
    ahead = stream.take(count + LOOKAHEAD)
    place = np.full(count, -1, np.int64)
    extra: list[int] = []
    i = j = differences = 0
    while i < count and differences <= most_differences:
        run = _equal_run(expected, ahead, i, j)
        place[i : i + run] = np.arange(j, j + run)
        i, j = i + run, j + run
        if i == count or j == ahead.size:
            break
        differences += 1
        lost = _distance(expected, i, ahead, j)
        added = _distance(ahead, j, expected, i)
        if lost is not None and (added is None or lost <= added):
            i += lost
        elif added is not None:
            extra += range(j, j + added)
            j += added
        else:
            extra.append(j)
            i, j = i + 1, j + 1
    stream.give_back(ahead.part(j, None))
    cut = differences > most_differences
    return Matched(
        _at(ahead, place), place < 0, Predicted._make(column[extra] for column in ahead), cut
    )


def _at(rows: Predicted, place: _Ints) -> Predicted:
    if not rows.size:
        return Predicted._make(np.zeros(len(place), column.dtype) for column in rows)
    return Predicted._make(np.where(place < 0, 0, column[place]) for column in rows)


def _equal(
    one: Expected | Predicted, other: Expected | Predicted, i: int, j: int, count: int
) -> npt.NDArray[np.bool_]:
    same = one.sensor[i : i + count] == other.sensor[j : j + count]
    same &= one.boot[i : i + count] == other.boot[j : j + count]
    same &= one.number[i : i + count] == other.number[j : j + count]
    return np.asarray(same)


def _equal_run(one: Expected, other: Predicted, i: int, j: int) -> int:
    count = min(one.size - i, other.size - j)
    same = _equal(one, other, i, j, count)
    return count if same.all() else int(np.argmin(same))


def _distance(
    one: Expected | Predicted, start: int, other: Expected | Predicted, row: int
) -> int | None:
    """Return how far after ``start`` ``one`` has the row of ``other``; None where it has not."""
    end = start + LOOKAHEAD
    same = one.number[start:end] == other.number[row]
    same &= one.sensor[start:end] == other.sensor[row]
    same &= one.boot[start:end] == other.boot[row]
    return int(np.argmax(same)) if same.any() else None
