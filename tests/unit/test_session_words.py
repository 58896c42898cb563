"""Cursors lead on and no further; spans and times of sessions as people write them."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cluster.session_lines import cells, facts, since_us
from pipelines.errors import ConfigurationError, DataError
from serve.session_query import SessionQuery, conditions, cursor_after, read_cursor
from tests.session_events import START_US, session_event

HOUR_US = 3_600_000_000


@given(st.integers(-(2**62), 2**62), st.text(min_size=1, max_size=128))
@example(-(2**62), "\U0001f3c3" * 128)
def test_a_cursor_leads_back_to_the_session_it_was_made_of(start_us: int, session_id: str) -> None:
    session = {"start_us": start_us, "session_id": session_id}
    assert read_cursor(cursor_after(session)) == (start_us, session_id)


@given(st.text(max_size=60))
def test_any_other_text_is_refused_as_a_cursor(text: str) -> None:
    try:
        start_us, session_id = read_cursor(text)
    except DataError as error:
        assert "leave it out" in str(error)
    else:
        assert isinstance(start_us, int) and isinstance(session_id, str)


def test_a_query_asks_for_what_it_names_alone() -> None:
    assert conditions(SessionQuery()) == {}
    assert conditions(SessionQuery("a", "open", 5)) == {
        "session.sensor_id": "a",
        "session.state": "open",
        "session.start_us": {"$gte": 5},
    }


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("90s", START_US - 90_000_000),
        ("2h", START_US - 2 * HOUR_US),
        ("1d", START_US - 24 * HOUR_US),
        ("1970-01-01T00:00:01", 1_000_000),
        ("1970-01-01T01:00:01+01:00", 1_000_000),
        ("1970-01-02", 24 * HOUR_US),
    ],
)
def test_since_is_a_span_before_now_or_a_time(text: str, us: int) -> None:
    assert since_us(text, START_US) == us


@pytest.mark.parametrize("text", ["", "soon", "2 h", "-2h", "2026-13-01"])
def test_another_since_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="since"):
        since_us(text, START_US)


def test_a_line_tells_a_session_at_a_glance() -> None:
    assert cells(session_event("sensor1", 3, state="closed")) == [
        "2025-10-09 08:53:20", "sensor1", "closed", "0:00:06", "3", "1,200", "1", "1.38",
        "0.75", "4.50", f"sensor1_{START_US}",
    ]  # fmt: skip
    assert cells(session_event("sensor1", 1))[8:10] == ["-", "-"]


def test_a_time_far_from_any_calendar_is_still_told() -> None:
    assert cells(session_event("sensor1", 1, start_us=2**62, end_us=2**62 + 1))[0] == f"{2**62} us"


def test_the_facts_name_every_field_but_the_offset() -> None:
    named = dict(facts(session_event("sensor1", 1)))
    assert named["start"] == "2025-10-09 08:53:20" and named["velocity max"] == "-"
    assert named["lasted"] == "0:00:02" and "through offset" not in named
