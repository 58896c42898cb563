"""Rows as numbers: one hash of all columns of a row, to compare rows whatever their order. Pure."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Hashes = npt.NDArray[np.uint64]

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)
_NULL = np.uint64(0x6E756C6C)


def row_hashes(table: pa.Table, columns: Sequence[str]) -> Hashes:
    """Return a hash of each row over these columns; floats count bit by bit."""
    hashes = np.zeros(len(table), np.uint64)
    for name in columns:
        hashes ^= _numbers(table.column(name))
        hashes *= _MULTIPLIER
        hashes ^= hashes >> _SHIFT
    return hashes


def same_rows(one: Hashes, other: Hashes) -> bool:
    """Whether both hold the same rows, in any order."""
    if len(one) != len(other):
        return False
    # Two sums that do not depend on the order; both agree by chance once in 2**128.
    return bool(one.sum() == other.sum() and _mixed(one).sum() == _mixed(other).sum())


def unmatched(one: Hashes, other: Hashes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return which rows of each have no row of the other to go with."""
    return _without(one, other), _without(other, one)


def _without(these: Hashes, those: Hashes) -> npt.NDArray[np.int64]:
    """Return the rows of ``these`` beyond the number of equal rows among ``those``."""
    values, inverse = np.unique(these, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    first_of = np.searchsorted(inverse[order], np.arange(len(values)))
    nth = np.empty(len(these), np.int64)
    nth[order] = np.arange(len(these)) - first_of[inverse[order]]
    present, counts = np.unique(those, return_counts=True)
    at = np.searchsorted(present, values)
    found = np.zeros(len(values), np.int64)
    inside = at < len(present)
    equal = np.zeros(len(values), np.bool_)
    equal[inside] = present[at[inside]] == values[inside]
    found[equal] = counts[at[equal]]
    rows: npt.NDArray[np.int64] = np.flatnonzero(nth >= found[inverse])
    return rows


def _mixed(hashes: Hashes) -> Hashes:
    return (hashes ^ (hashes >> _SHIFT)) * _MULTIPLIER


def _numbers(column: pa.ChunkedArray) -> Hashes:
    values = column.combine_chunks()
    kind = values.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        return _texts(values)
    nulls = values.is_null().to_numpy(zero_copy_only=False)
    numbers: Any = values.fill_null(False if pa.types.is_boolean(kind) else 0)
    plain = numbers.to_numpy(zero_copy_only=False)
    if plain.dtype.kind == "f":
        plain = plain.view(np.uint32 if plain.dtype.itemsize == 4 else np.uint64)
    hashes: Hashes = plain.astype(np.int64).view(np.uint64).copy()
    hashes[nulls] = _NULL
    return hashes


def _texts(values: Any) -> Hashes:
    encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    hashed = np.array([_text(value) for value in encoded.dictionary.to_pylist()], np.uint64)
    indices = encoded.indices.fill_null(len(hashed)).to_numpy()
    hashes: Hashes = np.append(hashed, _NULL)[indices]
    return hashes


def _text(value: str | bytes) -> int:
    raw = value.encode() if isinstance(value, str) else value
    return int.from_bytes(blake2b(raw, digest_size=8).digest(), "little")
