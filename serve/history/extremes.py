"""Fewer samples that still show every peak: each bucket of time keeps its extremes. Pure.

The span is cut into ``buckets`` of equal length, and of each column the sample with the smallest
and the sample with the largest value of each bucket are kept, as they were measured. Where there is
room for more, the samples that MinMaxLTTB (https://arxiv.org/abs/2305.00332) picks of each column
are added: those that a line drawn through the picked points follows best.

Samples may come in pieces and in any order; what is held meanwhile is bounded, because a piece's
extremes are enough to know the whole's.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from tsdownsample import MinMaxLTTBDownsampler

TIME: Final = "timestamp_us"
METHOD: Final = "minmaxlttb"
ALL: Final = "all"
LEAST_POINTS: Final = 50
"""Room for the extremes of twelve columns in one bucket at least."""

Column = npt.NDArray[Any]
Columns = dict[str, Column]

_FINER = 8
"""Parts that a bucket is cut into for what is held meanwhile; MinMaxLTTB picks of these."""
_HELD_ROWS = 500_000
_LEAST_FOR_LTTB = 3


class Extremes:
    """Takes in samples of a span and gives at most ``points`` of them back, in order of time."""

    def __init__(self, columns: Sequence[str], from_us: int, to_us: int, points: int) -> None:
        """The samples have ``timestamp_us`` in [from_us, to_us) and these columns besides."""
        self.columns: tuple[str, ...] = tuple(columns)
        self._from_us = from_us
        self._to_us = max(to_us, from_us + 1)
        self._points = points
        # Half of the points at most are extremes, as long as that leaves a bucket.
        self._buckets = max(1, points // (4 * len(self.columns)))
        self._pieces: list[Columns] = []
        self._held = 0
        self.total = 0

    def add(self, piece: Mapping[str, Column]) -> None:
        """Take in samples, ``(n,)`` of each column and of ``timestamp_us``."""
        columns = {name: np.asarray(piece[name]) for name in (TIME, *self.columns)}
        rows = len(columns[TIME])
        self.total += rows
        self._held += rows
        self._pieces.append(columns)
        if self._held > max(_HELD_ROWS, 4 * self._points):
            self._reduce()

    def picked(self) -> Columns:
        """Return the samples that are kept: all of them where they are no more than the points."""
        whole = self._whole()
        if self.total <= self._points:
            return whole
        keep = extreme_rows(whole, self.columns, self._bucket_of(whole, self._buckets))
        room = (self._points - len(keep)) // len(self.columns)
        if room >= _LEAST_FOR_LTTB:
            keep = np.union1d(keep, self._lttb_rows(whole, room))
        return {name: column[keep] for name, column in whole.items()}

    @property
    def method(self) -> str:
        """How samples were chosen."""
        return ALL if self.total <= self._points else METHOD

    def _lttb_rows(self, whole: Columns, room: int) -> npt.NDArray[np.int64]:
        """Return the rows that MinMaxLTTB picks, ``room`` of each column."""
        if len(whole[TIME]) <= room:
            return np.arange(len(whole[TIME]))
        downsampler = MinMaxLTTBDownsampler()  # type: ignore[no-untyped-call]
        rows = [
            downsampler.downsample(whole[TIME], whole[name], n_out=room) for name in self.columns
        ]
        return np.concatenate(rows).astype(np.int64)

    def _whole(self) -> Columns:
        """Return what is held, in order of time."""
        if not self._pieces:
            return {TIME: np.empty(0, np.int64)} | {
                name: np.empty(0, np.float32) for name in self.columns
            }
        whole = {
            name: np.concatenate([piece[name] for piece in self._pieces])
            for name in self._pieces[0]
        }
        order = np.argsort(whole[TIME], kind="stable")
        return {name: column[order] for name, column in whole.items()}

    def _reduce(self) -> None:
        whole = self._whole()
        buckets = self._buckets * _FINER
        keep = extreme_rows(whole, self.columns, self._bucket_of(whole, buckets))
        self._pieces = [{name: column[keep] for name, column in whole.items()}]
        self._held = len(keep)

    def _bucket_of(self, whole: Columns, buckets: int) -> npt.NDArray[np.int64]:
        """Return the bucket of each sample; a finer cut lies within the coarser one's buckets."""
        since = whole[TIME].astype(np.int64) - self._from_us
        fine = self._buckets * _FINER
        # Whole microseconds a part, so that no rounding puts a sample into another bucket.
        part_us = -(-(self._to_us - self._from_us) // fine)
        return since // part_us // (fine // buckets)


def extreme_rows(
    columns: Columns, names: Sequence[str], bucket: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return the rows that hold the smallest or the largest value of a column in a bucket.

    Args:
        columns: ``(n,)`` of each name, the buckets' rows together.
        names: of those to be looked at.
        bucket: ``(n,)`` rising.
    """
    if not len(bucket):
        return np.empty(0, np.int64)
    starts = np.flatnonzero(np.diff(bucket, prepend=bucket[0] - 1))
    lengths = np.diff(starts, append=len(bucket))
    found = [
        _first_of(columns[name], starts, lengths, pick)
        for name in names
        for pick in (np.fmin, np.fmax)
    ]
    return np.unique(np.concatenate(found))


def _first_of(
    values: Column, starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64], pick: np.ufunc
) -> npt.NDArray[np.int64]:
    """Return the first row of each bucket that has the bucket's extreme."""
    extreme = np.repeat(pick.reduceat(values, starts), lengths)
    rows = np.flatnonzero(values == extreme)
    first = np.searchsorted(rows, starts)
    return rows[np.minimum(first, len(rows) - 1)]
