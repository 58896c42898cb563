"""What a simulated device answers, and what the api takes for an answer."""

import json

import pytest

from pipelines.errors import DataError
from pipelines.sensor_topic import replies_topic, sensor_of_reply
from serve.device_commands import (
    MAX_ARGUMENTS_BYTES,
    Reply,
    command_document,
    command_message,
    read_reply,
    reply_document,
    shown,
)
from serve.device_page_routes import broker_sources
from simulator.command_answers import answer

NOW_US = 1_790_000_000_000_000


def test_a_device_answers_what_it_knows_and_says_what_it_does_not() -> None:
    def said(name: str) -> dict[str, object]:
        command = command_document("c1", "s", name, {}, NOW_US, 60, "alice")
        found = answer("s", command_message(command), {"kind": "simulated"}, NOW_US)
        assert found is not None
        return found

    assert said("ping") == {"id": "c1", "ok": True, "result": {"received_us": NOW_US}}
    assert said("identify")["result"] == {"sensor_id": "s", "kind": "simulated"}
    assert said("explode")["ok"] is False


@pytest.mark.parametrize("payload", [b"", b"[]", b"{", b'{"id":"a"}', b"[" * 100_000])
def test_what_is_no_command_is_not_answered(payload: bytes) -> None:
    assert answer("s", payload, {}, NOW_US) is None


def test_a_command_whose_time_is_over_is_not_answered() -> None:
    command = command_document("c1", "s", "ping", {}, NOW_US, 60, "alice")
    assert answer("s", command_message(command), {}, NOW_US + 60_000_001) is None


def test_arguments_of_any_json_come_through_as_they_are() -> None:
    arguments = {"$set": {"a.b": [None, 1.5, "ä"]}, "": {}}
    document = command_document("c1", "s", "set", arguments, NOW_US, 60, "alice")
    assert json.loads(command_message(document))["arguments"] == arguments
    assert shown(document, None, NOW_US)["arguments"] == arguments
    with pytest.raises(DataError, match="more than"):
        command_document("c1", "s", "set", {"x": "y" * MAX_ARGUMENTS_BYTES}, NOW_US, 60, "alice")


def test_a_command_is_expired_only_without_a_reply() -> None:
    document = command_document("c1", "s", "set", {}, NOW_US, 60, "alice")
    late_us = NOW_US + 61_000_000
    assert shown(document, None, NOW_US)["state"] == "sent"
    assert shown(document, None, late_us)["state"] == "expired"
    reply = reply_document(Reply("c1", True, [1]), document, late_us)
    found = shown(document, reply, late_us)
    assert (found["state"], found["reply"]) == ("replied", {"ok": True, "result": [1]})


@pytest.mark.parametrize(
    "payload",
    [b"", b"{", b"[]", b'{"id":1,"ok":true}', b'{"id":"a"}', b"[" * 9_000, b'"' + b"x" * 20_000],
)
def test_what_is_no_reply_is_refused(payload: bytes) -> None:
    with pytest.raises(DataError):
        read_reply(payload)


def test_whose_reply_it_is_the_topic_says() -> None:
    assert sensor_of_reply(replies_topic("Φ s:1")) == "Φ s:1"
    for topic in ("imu/a", "imu/a/b/replies", "imu//replies", "x/a/replies", "imu/a/replies/"):
        assert sensor_of_reply(topic) is None


@pytest.mark.parametrize("host", ["", "a b", "x;script-src *", "a\nb", "evil.example/;", "'self'"])
def test_a_host_that_is_none_does_not_get_into_the_pages_policy(host: str) -> None:
    assert broker_sources(host, 9001) == ()


def test_the_pages_policy_names_the_broker_on_this_host() -> None:
    assert broker_sources("[::1]:8000", 9001) == ("ws://[::1]:9001", "wss://[::1]:9001")
    assert "ws://phone.local:9001" in broker_sources("phone.local", 9001)
