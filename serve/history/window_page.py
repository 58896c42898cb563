"""A page of a session's windows, from pieces in any order. Pure."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import pyarrow as pa

from pipelines.archive.schemas import AGGREGATED
from serve import cursors

A_PAGE: Final = 2_000
MOST_A_PAGE: Final = 10_000

_START = "start_us"
_OFFSET = "offset"
_ORDER = [(_START, "ascending"), (_OFFSET, "ascending")]
_HELD_PAGES = 4

SHOWN: Final[Sequence[str]] = tuple(
    name for name in AGGREGATED.names if name not in ("sensor_id", _OFFSET)
)
COLUMNS: Final = (*SHOWN, _OFFSET)
"""What of a window is read."""


class WindowPage(NamedTuple):
    """Windows in the order of their starts; ``next_cursor`` leads on, None at the end."""

    windows: list[dict[str, Any]]
    next_cursor: str | None


class WindowPages:
    """Takes in windows and keeps the first ``limit`` after a cursor."""

    def __init__(self, limit: int, cursor: str | None) -> None:
        """Begin a page.

        Raises:
            DataError: the cursor is not one of ours.
        """
        self._limit = limit
        self._after = None if cursor is None else tuple(cursors.decode(cursor, (int, int)))
        self._pieces: list[pa.Table] = []
        self._held = 0

    @property
    def from_us(self) -> int | None:
        """The start of the first window that there can be on the page; None: any."""
        return None if self._after is None else int(self._after[0])

    def add(self, windows: pa.Table) -> None:
        """Take in windows, columns :data:`COLUMNS`."""
        self._pieces.append(windows)
        self._held += len(windows)
        if self._held > _HELD_PAGES * MOST_A_PAGE:
            self._pieces = [self._first()]
            self._held = len(self._pieces[0])

    def page(self) -> WindowPage:
        """Return the page."""
        first = self._first()
        shown = first.slice(0, self._limit)
        windows = shown.select(SHOWN).to_pylist()
        if len(first) <= self._limit:
            return WindowPage(windows, None)
        last = [shown[name][-1].as_py() for name in (_START, _OFFSET)]
        return WindowPage(windows, cursors.encode(last))

    def _first(self) -> pa.Table:
        """Return the first windows after the cursor, one more than fits."""
        if not self._pieces:
            return AGGREGATED.empty_table().select(COLUMNS)
        table = pa.concat_tables(self._pieces, promote_options="permissive").sort_by(_ORDER)
        if self._after is not None:
            start_us, offset = self._after
            later = pa.compute.greater(table[_START], start_us)
            further = pa.compute.greater(table[_OFFSET], offset)
            same = pa.compute.equal(table[_START], start_us)
            table = table.filter(pa.compute.or_(later, pa.compute.and_(same, further)))
        return table.slice(0, self._limit + 1)
