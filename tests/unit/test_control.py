"""What pipeline-control says, whoever wrote last."""

import json
from pathlib import Path

import jsonschema
import msgspec
import pytest

import pipelines
from pipelines.control import Alarm, Control, ControlState, fold, merge
from pipelines.ledger import Ledger, decode_ledger, encode

SCHEMAS = Path(pipelines.__file__).parent / "schemas"


def _folded(*records: Control | Alarm) -> ControlState:
    state = ControlState()
    for record in records:
        fold(state, record.key, msgspec.json.encode(record))
    return state


def test_a_control_record_is_as_its_schema_says() -> None:
    schema = json.loads((SCHEMAS / "control.schema.json").read_text())
    record = Control("sensor-processing", 2, 1, False, running_slots=2, previous_slots=1)
    jsonschema.validate(json.loads(msgspec.json.encode(record)), schema)
    with_channel = msgspec.structs.replace(record, model_channel="stable")
    jsonschema.validate(json.loads(msgspec.json.encode(with_channel)), schema)


def test_a_ledger_is_as_its_schema_says_and_reads_back() -> None:
    schema = json.loads((SCHEMAS / "ledger.schema.json").read_text())
    ledger = Ledger("sensor-processing", 3, 2, 1, 900, 700, 10**15, "abc", {"records": 5})
    jsonschema.validate(json.loads(encode(ledger)), schema)
    assert decode_ledger(encode(ledger)) == ledger
    redriving = msgspec.structs.replace(ledger, redrive_offset=7)
    jsonschema.validate(json.loads(encode(redriving)), schema)
    assert decode_ledger(encode(redriving)) == redriving


def test_a_wish_that_crossed_a_rescale_keeps_the_newer_generation() -> None:
    running = Control("p", 3, 5, False, running_slots=3, previous_slots=2)
    wish = Control("p", 7, 4, True, running_slots=2, previous_slots=1)
    assert merge(running, wish) == Control("p", 7, 5, True, running_slots=3, previous_slots=2)
    assert _folded(running, wish).crossed == {"p"}


def test_the_supervisors_answer_to_a_crossed_wish_settles_it() -> None:
    running = Control("p", 3, 5, False, running_slots=3, previous_slots=2)
    wish = Control("p", 7, 4, False, running_slots=2, previous_slots=1)
    settled = merge(running, wish)
    state = _folded(running, wish, settled)
    assert state.crossed == set()
    assert state.pipelines == {"p": settled}


def test_an_alarm_stands_until_it_is_taken_back() -> None:
    alarm = Alarm("p", 2, 1, "why", 10**15)
    state = _folded(alarm)
    assert state.alarms == {("p", 2): alarm}
    fold(state, alarm.key, None)
    assert state.alarms == {}


@pytest.mark.parametrize("value", [b"", b"{}", b'{"pipeline": "p", "slots": 0}', b"\xff"])
def test_a_record_of_another_form_changes_nothing(value: bytes) -> None:
    known = Control("p", 1, 1, False, running_slots=1)
    state = _folded(known)
    fold(state, b"p", value)
    fold(state, b"alarm/p/x", value)
    fold(state, b"alarm/p", value)
    fold(state, b"alarm/p/1", value)
    assert state.pipelines == {"p": known}
    assert state.alarms == {}
