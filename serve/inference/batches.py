"""Put the inputs of several requests together into one, and take the answers apart again."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Key = TypeVar("Key", bound=Hashable)


class Sequences(NamedTuple):
    """What a streaming model takes: ``(T, B, F)``, ``(B,)``, ``(1, B, H)``, ``(1, B, H)``."""

    features: Float32
    lengths: NDArray[np.int32]
    hidden: Float32
    cell: Float32


class Predicted(NamedTuple):
    """What a streaming model gives: ``(T, B, 2)``, ``(1, B, H)``, ``(1, B, H)``."""

    predictions: Float32
    hidden: Float32
    cell: Float32


def grouped(keys: Sequence[Key]) -> dict[Key, list[int]]:
    """Return the places of equal keys, in order of their first appearance."""
    groups: dict[Key, list[int]] = {}
    for place, key in enumerate(keys):
        groups.setdefault(key, []).append(place)
    return groups


def joined(parts: Sequence[Sequences]) -> Sequences:
    """Return all sequences side by side; all parts have as many time steps."""
    if len(parts) == 1:
        return parts[0]
    return Sequences(
        np.concatenate([part.features for part in parts], axis=1),
        np.concatenate([part.lengths for part in parts]),
        np.concatenate([part.hidden for part in parts], axis=1),
        np.concatenate([part.cell for part in parts], axis=1),
    )


def parted(predicted: Predicted, sizes: Sequence[int]) -> list[Predicted]:
    """Return what belongs to each part, by how many sequences each had."""
    if len(sizes) == 1:
        return [predicted]
    ends = np.cumsum(sizes)[:-1]
    columns = [np.split(tensor, ends, axis=1) for tensor in predicted]
    return [Predicted(*one) for one in zip(*columns, strict=True)]
