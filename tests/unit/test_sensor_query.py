"""Sensors page by page; labels as people change them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import DataError
from serve.sensor_labels import (
    LONGEST_KEY,
    LONGEST_VALUE,
    MOST_LABELS,
    fault_of_key,
    fault_of_value,
    merged,
    read,
    stored,
)
from serve.sensor_query import SensorQuery, page_of

LABELS = {"s03": {"room": "Gym"}, "s04": {"room": "lab", "wearer": "Ada"}}


def _sensors(count: int = 10) -> list[dict[str, Any]]:
    return [
        {"sensor_id": f"s{number:02}", "state": "silent" if number % 3 == 0 else "live"}
        for number in range(count)
    ]


def _ids(**query: Any) -> list[str]:
    page = page_of(_sensors(), LABELS, SensorQuery(**query), lambda _: True)
    return [sensor["sensor_id"] for sensor in page.sensors]


def test_sensors_are_found_by_id_label_and_state() -> None:
    assert len(_ids()) == 10
    assert _ids(q="S0") == _ids()
    assert _ids(q="room=gym") == ["s03"]
    assert _ids(q="ADA") == ["s04"]
    assert _ids(state="silent") == ["s00", "s03", "s06", "s09"]
    assert _ids(q="room", state="live") == ["s04"]


def test_each_sensor_carries_its_labels() -> None:
    page = page_of(_sensors(), LABELS, SensorQuery(q="s03"), lambda _: True)
    assert page.sensors == [{"sensor_id": "s03", "state": "silent", "labels": {"room": "Gym"}}]


def test_sensors_that_are_not_for_whoever_asks_are_not_there() -> None:
    page = page_of(_sensors(), LABELS, SensorQuery(limit=2), lambda each: each < "s02")
    assert [sensor["sensor_id"] for sensor in page.sensors] == ["s00", "s01"]
    assert page.next_cursor is None


@pytest.mark.parametrize("limit", [1, 3, 9, 10])
def test_the_pages_hold_every_sensor_once_in_order(limit: int) -> None:
    found: list[str] = []
    cursor = None
    while True:
        page = page_of(_sensors(), {}, SensorQuery(limit=limit, cursor=cursor), lambda _: True)
        found += [sensor["sensor_id"] for sensor in page.sensors]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == [sensor["sensor_id"] for sensor in _sensors()]


_KEYS = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=8)


@given(st.dictionaries(_KEYS, st.text(max_size=8)))
def test_labels_are_read_as_they_were_stored_whatever_their_names(labels: dict[str, str]) -> None:
    kept = stored(labels)
    assert read(kept) == labels
    assert not any(set(key) & {".", "$"} for key in kept)


def test_a_change_sets_and_takes_away_and_leaves_the_rest() -> None:
    assert merged({"a": "1", "b": "2"}, {"b": None, "c": "3", "d": None}) == {"a": "1", "c": "3"}


def test_a_sensor_has_no_more_labels_than_the_bound() -> None:
    full = {f"k{number}": "" for number in range(MOST_LABELS)}
    assert merged(full, {"k0": None, "new": ""}).keys() == full.keys() - {"k0"} | {"new"}
    with pytest.raises(DataError, match=f"at most {MOST_LABELS}"):
        merged(full, {"new": ""})


def test_names_and_values_of_labels_have_bounds() -> None:
    assert fault_of_key("ä" * LONGEST_KEY) is None and fault_of_value("") is None
    for key in ("", "k" * (LONGEST_KEY + 1), "a\nb", "\ud800"):
        assert fault_of_key(key), key
    for value in ("v" * (LONGEST_VALUE + 1), "\x00"):
        assert fault_of_value(value), value
