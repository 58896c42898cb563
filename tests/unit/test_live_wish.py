"""What clients ask for, and what is said to those who ask for what there is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.partitioner import partition_of
from pipelines.settings import LiveSettings
from serve.close_codes import ClosingError
from serve.live_admission import Admission
from serve.live_wish import (
    Ping,
    Subscribe,
    Unsubscribe,
    Wish,
    format_of,
    id_of,
    parse_command,
    wish_of_command,
    wish_of_path,
)
from serve.message_rate import MessageRate
from serve.principal import Principal, Role

HOME = partition_of("sensor1")


def _command(text: str) -> Wish:
    command = parse_command(text)
    assert isinstance(command, Subscribe)
    return wish_of_command(command, "json")


def test_commands_are_what_they_say() -> None:
    assert parse_command('{"type":"unsubscribe","id":4}') == Unsubscribe(4)
    assert parse_command('{"type":"ping"}') == Ping()
    assert parse_command('{"type":"ping","id":1}') == Ping(1)
    wish = _command('{"type":"subscribe","id":1,"stream":"transformed","sensor":"ü","max_hz":30}')
    assert (wish.stream.name, wish.sensor_id, wish.max_hz) == ("transformed", "ü", 30)
    assert wish.resume == {}


@pytest.mark.parametrize("resume", [{str(HOME): 12}, {"partition": HOME, "offset": 12}])
def test_where_to_go_on_can_be_said_in_two_ways(resume: dict[str, int]) -> None:
    command = Subscribe(1, "transformed", "sensor1", resume=resume)
    assert wish_of_command(command, "json").resume == {HOME: 12}


def test_a_url_says_where_to_go_on_too() -> None:
    for query in ({"partition": str(HOME), "offset": "12"}, {"from": f"{HOME}:12"}):
        wish = wish_of_path("transformed", "sensor1", query, "json")
        assert wish.resume == {HOME: 12}
    wish = wish_of_path("sessions", None, {"from": "0:-1,9:7"}, "json")
    assert wish.resume == {0: -1, 9: 7}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not a command"),
        ("[]", "not a command"),
        ('{"type":"drop"}', "Invalid value 'drop'"),
        ('{"type":"ping","it":1}', "unknown field `it`"),
        ('{"type":"subscribe","stream":"raw","sensor":"a"}', "missing required field `id`"),
        ('{"type":"subscribe","id":"x","stream":"raw","sensor":"a"}', "Expected `int`"),
        ('{"type":"subscribe","id":-1,"stream":"raw","sensor":"a"}', ">= 0"),
        ('{"type":"subscribe","id":1,"stream":"news"}', "no such stream; there are raw, "),
        ('{"type":"subscribe","id":1,"stream":"raw"}', "is of one sensor: name it"),
        ('{"type":"subscribe","id":1,"stream":"alarms","sensor":"a"}', "is of no sensor"),
        ('{"type":"subscribe","id":1,"stream":"raw","sensor":"a+b"}', "the sensor id"),
        ('{"type":"subscribe","id":1,"stream":"raw","sensor":"a","max_hz":3}', "cannot be thinned"),
        ('{"type":"subscribe","id":1,"stream":"transformed","sensor":"a","max_hz":0}', "above 0"),
        ('{"type":"subscribe","id":1,"stream":"alarms","from":{"1":2}}', "partition 1; try 0"),
        ('{"type":"subscribe","id":1,"stream":"alarms","from":{"0":-2}}', "is no offset"),
        ('{"type":"subscribe","id":1,"stream":"alarms","from":{"x":2}}', "is no partition"),
        ('{"type":"subscribe","id":1,"stream":"alarms","from":{"0":1e3}}', "Expected `int`"),
        ('{"type":"subscribe","id":1,"stream":"\\ud800"}', "not a command"),
        ("[" * 5_000, "not a command"),
    ],
)
def test_what_is_no_command_is_refused_with_what_is_wrong(text: str, why: str) -> None:
    with pytest.raises(ClosingError) as refused:
        _command(text)
    assert refused.value.code == 1008
    assert why in refused.value.reason


@pytest.mark.parametrize(
    "query",
    [
        {"max_hz": "fast"},
        {"max_hz": "nan"},
        {"max_hz": "inf"},
        {"max_hz": "-1"},
        {"offset": "1"},
        {"partition": "1"},
        {"partition": "x", "offset": "1"},
        {"partition": str(1 - HOME), "offset": "1"},
        {"from": ""},
        {"from": "1"},
        {"from": f"{HOME}:x"},
    ],
)
def test_a_url_that_is_wrong_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(ClosingError) as refused:
        wish_of_path("transformed", "sensor1", query, "json")
    assert refused.value.code == 1008
    assert refused.value.reason


@given(st.text())
def test_whatever_a_client_says_is_a_command_or_refused(text: str) -> None:
    id_of(text)
    try:
        parse_command(text)
    except ClosingError as refused:
        assert len(refused.reason.encode()) <= 123


def test_a_refusal_names_the_subscription_it_is_about() -> None:
    assert id_of('{"type":"subscribe","id":7,"bogus":1}') == 7
    assert id_of('{"id":"x"}') is None


def test_another_format_is_refused() -> None:
    assert (format_of({}), format_of({"format": "arrow"})) == ("json", "arrow")
    with pytest.raises(ClosingError, match="json, arrow"):
        format_of({"format": "xml"})


def test_a_sensor_outside_the_log_ins_scope_is_refused_with_4403() -> None:
    confined = Principal("some", Role.VIEWER, ("mine-*",), 0)
    wish_of_path("transformed", "mine-1", {}, "json").check_allowed(confined)
    with pytest.raises(ClosingError) as refused:
        wish_of_path("transformed", "yours", {}, "json").check_allowed(confined)
    assert refused.value.code == 4403


def test_a_long_reason_fits_a_close_frame() -> None:
    assert len(ClosingError(1008, "ü" * 100).reason.encode()) == 122


def test_room_is_counted_in_all_and_for_each_log_in() -> None:
    admission = Admission(LiveSettings(max_clients=3, max_clients_per_subject=2))
    admission.enter("one")
    admission.enter("one")
    with pytest.raises(ClosingError, match="max_clients_per_subject is 2"):
        admission.enter("one")
    admission.enter("other")
    with pytest.raises(ClosingError, match="max_clients is 3") as refused:
        admission.enter("third")
    assert refused.value.code == 1013
    admission.leave("one")
    admission.enter("third")


def test_a_client_may_say_much_at_once_but_not_for_long() -> None:
    rate = MessageRate(5, 0.0)
    assert sum(rate.allows(0.0) for _ in range(100)) == 50
    assert not rate.allows(0.1)
    assert rate.allows(0.2)
    assert sum(rate.allows(1_000.0) for _ in range(100)) == 50
