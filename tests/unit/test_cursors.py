"""Cursors lead on and no further; entity tags name what was seen."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.errors import DataError
from serve import cursors
from serve.etags import names, quoted, tag_of

_PRINTABLE = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=128)


@given(st.integers(-(2**62), 2**62), _PRINTABLE)
@example(-(2**62), "\U0001f3c3" * 128)
def test_a_cursor_leads_back_to_the_row_it_was_made_of(start_us: int, session_id: str) -> None:
    assert cursors.decode(cursors.encode([start_us, session_id]), (int, str)) == [
        start_us,
        session_id,
    ]


@given(st.text(max_size=60))
def test_any_other_text_is_refused_as_a_cursor(text: str) -> None:
    with pytest.raises(DataError, match="leave it out"):
        cursors.decode(text, (int, str))


@pytest.mark.parametrize("key", [[1], ["a", 1], [1, "a", 2], [True, "a"], [2**63, "a"]])
def test_a_cursor_of_other_rows_is_refused(key: list[int | str]) -> None:
    with pytest.raises(DataError):
        cursors.decode(cursors.encode(key), (int, str))


def test_a_half_of_a_surrogate_pair_is_refused() -> None:
    cursor = "WzEsIlx1ZDgwMCJd"  # [1,"\ud800"]
    with pytest.raises(DataError):
        cursors.decode(cursor, (int, str))


def test_a_condition_names_tags_in_a_list_weak_ones_too_or_any() -> None:
    tag = tag_of(b"content")
    assert tag == tag_of(b"content") != tag_of(b"other")
    for condition in (quoted(tag), f'"a", {quoted(tag)}', f"W/{quoted(tag)}", "*"):
        assert names(condition, tag), condition
    for other in (None, "", '"a"', tag):
        assert not names(other, tag), other
