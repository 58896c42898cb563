"""Pages of windows hold each once, in the order of their starts, however the pieces come."""

import random
from typing import Any

import pyarrow as pa
import pytest

from pipelines.archive.schemas import AGGREGATED
from serve.history import window_page
from serve.history.window_page import COLUMNS, WindowPages

_PLAIN: dict[str, Any] = {
    field.name: "x" if pa.types.is_string(field.type) else 0
    for field in AGGREGATED
    if not field.nullable
}


def _table(rows: list[tuple[int, int]]) -> pa.Table:
    windows = [{**_PLAIN, "start_us": start, "offset": offset} for start, offset in rows]
    return pa.Table.from_pylist(windows, AGGREGATED).select(COLUMNS)


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
@pytest.mark.parametrize("held", [1, 1_000])
def test_the_pages_together_are_all_windows(
    limit: int, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window_page, "_HELD_PAGES", held)
    monkeypatch.setattr(window_page, "MOST_A_PAGE", 5)
    # Two kinds of windows begin at once; the offsets are not in the order of time.
    rows = [(start, 1_000 - 3 * start + kind) for start in range(20) for kind in range(2)]
    random.Random(1).shuffle(rows)
    found: list[int] = []
    cursor = None
    while True:
        pages = WindowPages(limit, cursor)
        for first in range(0, len(rows), 6):
            pages.add(_table(rows[first : first + 6]))
        page = pages.page()
        assert len(page.windows) <= limit
        found += [window["start_us"] for window in page.windows]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == sorted(start for start, _ in rows)


def test_without_windows_the_page_is_empty() -> None:
    assert WindowPages(5, None).page() == ([], None)
