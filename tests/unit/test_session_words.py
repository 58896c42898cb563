"""What a query of sessions asks MongoDB for; spans and times of sessions as people write them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.session_lines import cells, facts, since_us
from pipelines.errors import ConfigurationError
from serve.principal import Principal, Role
from serve.session_query import SessionQuery, conditions
from tests.session_events import START_US, session_event

HOUR_US = 3_600_000_000


def test_a_query_asks_for_what_it_names_alone() -> None:
    assert conditions(SessionQuery()) == {}
    assert conditions(SessionQuery("a", "open", 5)) == {
        "$and": [
            {"session.sensor_id": "a"},
            {"session.state": "open"},
            {"session.start_us": {"$gte": 5}},
        ]
    }


def test_a_span_asks_for_the_sessions_that_took_place_in_it_or_partly() -> None:
    assert conditions(SessionQuery(from_us=5, to_us=9)) == {
        "$and": [{"session.end_us": {"$gt": 5}}, {"session.start_us": {"$lt": 9}}]
    }


@given(st.lists(st.text("ab.*?(", max_size=4), max_size=3), st.text("ab.(", max_size=4))
def test_who_may_see_some_sensors_is_given_the_sessions_of_those(
    patterns: list[str], sensor_id: str
) -> None:
    (asked,) = conditions(SessionQuery(within=tuple(patterns)))["$and"]
    found = False
    for one in asked["$or"]:
        wanted = one["session.sensor_id"]
        found = found or sensor_id in wanted.get("$in", [])
        found = found or ("$regex" in wanted and bool(re.search(wanted["$regex"], sensor_id)))
    assert found == Principal("a", Role.VIEWER, tuple(patterns), 0).may_see(sensor_id)


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
