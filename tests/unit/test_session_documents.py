"""Documents of sessions: the highest revision wins in any order, and only sessions become any."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from cluster.setup.paths import ROOT
from pipelines.errors import DataError
from pipelines.sinks.session_documents import (
    FIELD,
    Place,
    SessionEvent,
    Update,
    newest_last,
    read_event,
    sensor_updates,
    session_update,
)
from tests.session_events import session_event

VALIDATOR = Draft202012Validator(
    json.loads((ROOT / "pipelines/schemas/session.schema.json").read_text())
)


def _read(fields: dict[str, Any]) -> SessionEvent:
    return read_event(fields["sensor_id"].encode(), json.dumps(fields).encode())


def apply(document: dict[str, Any], update: Update) -> None:
    """Do what MongoDB does: compare embedded documents field by field, in their order."""
    for operator, fields in update.change.items():
        better = max if operator == "$max" else min
        for name, value in fields.items():
            known = document.get(name)
            if known is None:
                document[name] = value
            elif isinstance(value, dict):
                first = next(iter(value))
                if value[first] > known[first]:
                    document[name] = value
            else:
                document[name] = better(known, value)


def test_every_field_of_the_schema_is_in_the_document_with_the_revision_first() -> None:
    fields = session_event("sensor1", 3)
    VALIDATOR.validate(fields)
    update = session_update(_read(fields))
    document = update.change["$max"][FIELD]
    assert next(iter(document)) == "revision"
    assert {"session_id": update.document_id, **document} == fields


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"revision": 0}, "revision"),
        ({"state": "asleep"}, "state"),
        ({"samples": "many"}, "samples"),
        ({"surprise": 1}, "surprise"),
        ({"session_id": "x" * 129}, "session_id"),
    ],
)
def test_what_the_schema_does_not_allow_is_no_session(change: dict[str, Any], says: str) -> None:
    with pytest.raises(DataError, match=says):
        _read(session_event("sensor1", 1) | change)


@pytest.mark.parametrize("name", sorted(session_event("sensor1", 1)))
def test_a_record_without_one_of_its_fields_is_no_session(name: str) -> None:
    fields = session_event("sensor1", 1)
    key = fields["sensor_id"].encode()
    del fields[name]
    with pytest.raises(DataError):
        read_event(key, json.dumps(fields).encode())


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b"\xff\xfe", b'{"event":"started"}'])
def test_bytes_that_are_no_event_are_refused_with_a_reason(value: bytes) -> None:
    with pytest.raises(DataError):
        read_event(b"sensor1", value)


@pytest.mark.parametrize("key", [None, b"", b"sensor2"])
def test_an_event_under_another_key_is_refused(key: bytes | None) -> None:
    value = json.dumps(session_event("sensor1", 1)).encode()
    with pytest.raises(DataError, match="key"):
        read_event(key, value)


REVISIONS = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 6)), min_size=1, max_size=30)


@given(REVISIONS, st.randoms(use_true_random=False), st.integers(1, 7))
def test_the_highest_revision_wins_in_any_order_any_batches_and_any_repeats(
    revisions: list[tuple[int, int]], random: Any, batch: int
) -> None:
    events = [_read(session_event(f"sensor{sensor}", revision)) for sensor, revision in revisions]
    events += random.choices(events, k=len(events) // 2)
    random.shuffle(events)
    found: dict[str, dict[str, Any]] = {}
    for first in range(0, len(events), batch):
        rows = [Place(row, event) for row, event in enumerate(events[first : first + batch])]
        for of_session in newest_last(rows).values():
            update = session_update(of_session[-1].event)
            apply(found.setdefault(update.document_id, {}), update)
    highest: dict[str, int] = {}
    for event in events:
        highest[event.session_id] = max(highest.get(event.session_id, 0), event.revision)
    assert {key: document[FIELD]["revision"] for key, document in found.items()} == highest


@given(REVISIONS, st.randoms(use_true_random=False))
def test_a_sensors_span_and_boots_are_the_widest_in_any_order(
    revisions: list[tuple[int, int]], random: Any
) -> None:
    events = [_read(session_event(f"sensor{sensor}", revision)) for sensor, revision in revisions]
    expected = {update.document_id: {} for update in sensor_updates(events)}  # type: dict[str, Any]
    for update in sensor_updates(events):
        apply(expected[update.document_id], update)
    random.shuffle(events)
    found: dict[str, dict[str, Any]] = {}
    for event in [*events, *events[:3]]:
        for update in sensor_updates([event]):
            apply(found.setdefault(update.document_id, {}), update)
    assert found == expected


def test_the_events_of_a_session_come_with_the_newest_last() -> None:
    events = [_read(session_event("sensor1", revision)) for revision in (2, 4, 1, 3)]
    ordered = newest_last([Place(row, event) for row, event in enumerate(events)])
    (of_session,) = ordered.values()
    assert [place.row for place in of_session] == [2, 0, 3, 1]
