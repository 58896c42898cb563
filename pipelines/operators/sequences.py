"""Rows of many sensors as sequences, run through a model in few calls of bounded size.

A sequence is a run of one sensor's rows with no fresh start inside; so a sensor has several where
its state begins at zero in the middle, and they need not wait for each other. Rounds of at most
`TIME_STEPS` samples carry the state along a longer sequence. In a round, sequences of like length
share a call, since the model computes as many steps for each as the longest has.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from pipelines.compiled import compiled
from pipelines.models.model_files import Model
from pipelines.models.sequence_inference import Float32, Infer
from pipelines.operators.inference_layout import NOT_A_NUMBER, SKIPPED, Inferred

TIME_STEPS: Final = 128
"""Most samples of one sequence in a call: two of a device's frames, so that a backlog takes few
calls, each of which has a way to go and come."""
CELLS_A_CALL: Final = 131_072
"""Most samples in a call, padding included."""
CELLS_WORTH_A_CALL: Final = 4_096
"""Where another call spares more padding than this, it is made."""

_Ints = npt.NDArray[np.int64]


class Rows(NamedTuple):
    """The rows of one turn of all partitions; ``m`` of them.

    sensor:   ``(m,) int64`` numbered over all partitions
    record:   ``(m,) int64`` likewise; rows of one record are neighbours
    features: ``(F, m) float32`` as measured
    inferred: what the model says is written here; where that is no number, NOT_A_NUMBER
    """

    sensor: _Ints
    record: _Ints
    features: Float32
    inferred: Inferred


class Sequences(NamedTuple):
    """``k`` sequences.

    order:  ``(n,)`` the rows to infer, sensor by sensor, each in the order they came
    sensor: ``(k,)``
    start:  ``(k,)`` where each begins in ``order``; it ends where the next begins
    end:    ``(k,)``
    """

    order: _Ints
    sensor: _Ints
    start: _Ints
    end: _Ints


def sequences_of(rows: Rows, sensors: int) -> Sequences:
    """Return the sequences that the rows which are not skipped make."""
    order = _by_sensor(rows.sensor, rows.inferred.verdict, sensors)
    begins = rows.inferred.at_zero[order]
    begins[:1] = True
    begins[1:] |= rows.sensor[order[1:]] != rows.sensor[order[:-1]]
    start = np.flatnonzero(begins)
    end = np.append(start[1:], len(order))
    return Sequences(order, rows.sensor[order[start]], start, end)


def run_sequences(
    infer: Infer, model: Model, rows: Rows, sequences: Sequences, hidden: Float32, cell: Float32
) -> npt.NDArray[np.bool_]:
    """Run all sequences to their ends, writing what the model says into ``rows``.

    A row that the model gives no number for takes the rest of its sequence in that record with
    it, and the state begins at zero with the next record: where it does so may not depend on
    how far a call happened to reach.

    Args:
        infer: runs the model.
        model: which one.
        rows: what to run.
        sequences: of these rows.
        hidden: ``(k, H)`` the state that each sequence begins with; holds that of its end after.
        cell: ``(k, H)`` likewise.

    Returns for each sequence whether its state at the end is to begin at zero again.

    Raises:
        UnavailableError: the model cannot be run now.
    """
    order, _, start, end = sequences
    at = start.copy()
    at_zero = np.zeros(len(start), np.bool_)
    running = np.arange(len(start))
    while len(running):
        lengths = np.minimum(end[running] - at[running], TIME_STEPS)
        for part in calls(lengths):
            some, length = running[part], lengths[part]
            features = pad(rows.features, model.mean, model.std, order, at[some], length)
            said = infer(
                model.id,
                features,
                length.astype(np.int32),
                hidden[some][np.newaxis],
                cell[some][np.newaxis],
            )
            hidden[some], cell[some] = said.hidden[0], said.cell[0]
            numbers = _unpad(said.predictions, order, at[some], length, rows.inferred)
            begun = at[some]
            at[some] = begun + length
            for k in np.flatnonzero(numbers < length).tolist():
                sequence, first = int(some[k]), int(begun[k] + numbers[k])
                at[sequence] = _give_up(rows, order, first, int(end[sequence]))
                hidden[sequence] = cell[sequence] = 0.0
                at_zero[sequence] = at[sequence] == end[sequence]
        running = running[at[running] < end[running]]
    return at_zero


def calls(lengths: _Ints) -> Iterator[_Ints]:
    """Yield which sequences share a call, so that bounds are kept and padding is little.

    lengths: ``(k,)`` samples of each, at most `TIME_STEPS`.
    """
    longest_first = np.argsort(-lengths, kind="stable")
    falling = lengths[longest_first]
    first = 0
    while first < len(falling):
        steps = int(falling[first])
        end = min(len(falling), first + CELLS_A_CALL // steps)
        # A cut before sequence i spares the padding that i and all after it would need.
        spared = (steps - falling[first:end]) * np.arange(end - first, 0, -1)
        worth = np.flatnonzero((spared >= CELLS_WORTH_A_CALL) & (2 * falling[first:end] <= steps))
        if len(worth):
            end = first + int(worth[0])
        yield longest_first[first:end]
        first = end


def _give_up(rows: Rows, order: _Ints, first: int, end: int) -> int:
    """Mark a row and its sensor's later ones of that record; return where the next record is."""
    record = rows.record[order[first]]
    stop = first
    while stop < end and rows.record[order[stop]] == record:
        rows.inferred.verdict[order[stop]] = NOT_A_NUMBER
        stop += 1
    if stop < end:
        rows.inferred.at_zero[order[stop]] = True
    return stop


@compiled
def _by_sensor(sensor: Any, verdict: Any, sensors: int) -> _Ints:
    """Return the rows that are not skipped, sorted by sensor, each sensor's in their order."""
    place = np.zeros(sensors + 1, np.int64)
    for row in range(len(sensor)):
        if verdict[row] != SKIPPED:
            place[sensor[row] + 1] += 1
    for number in range(sensors):
        place[number + 1] += place[number]
    order = np.empty(place[sensors], np.int64)
    for row in range(len(sensor)):
        if verdict[row] != SKIPPED:
            order[place[sensor[row]]] = row
            place[sensor[row]] += 1
    return order


@compiled
def pad(features: Any, mean: Any, std: Any, order: Any, at: Any, lengths: Any) -> Float32:
    """Return scaled features as ``(time, batch, F)``, zero past each sequence's length."""
    batch = len(at)
    count = len(features)
    steps = lengths.max()
    out = np.zeros((steps, batch, count), np.float32)
    for b in range(batch):
        for t in range(lengths[b]):
            row = order[at[b] + t]
            for f in range(count):
                out[t, b, f] = (features[f, row] - mean[f]) / std[f]
    return out


@compiled
def _unpad(predictions: Any, order: Any, at: Any, lengths: Any, inferred: Any) -> _Ints:
    """Write predictions to their rows; return how many numbers each sequence begins with."""
    numbers = np.empty(len(at), np.int64)
    for b in range(len(at)):
        numbers[b] = lengths[b]
        for t in range(lengths[b]):
            velocity, moving = predictions[t, b, 0], predictions[t, b, 1]
            if not (np.isfinite(velocity) and np.isfinite(moving)):
                numbers[b] = t
                break
            row = order[at[b] + t]
            inferred.velocity[row] = velocity
            inferred.moving[row] = moving
    return numbers
