"""What our processes log: fields that programs read, and no secret."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from pydantic import SecretStr

from pipelines.logs import HIDDEN, configure_logging, log_context
from pipelines.settings import AuthSettings, LoggingSettings, MongoSettings, Settings

SECRET = "s3cr3t-of-the-broker"
KEY = '-----BEGIN PRIVATE KEY-----\nabc"def\n-----END PRIVATE KEY-----'

log = logging.getLogger("pipelines.test_logs")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root, ray = logging.getLogger(), logging.getLogger("ray")
    kept = (root.level, root.handlers[:], ray.handlers[:], ray.propagate)
    yield
    root.setLevel(kept[0])
    root.handlers[:], ray.handlers[:], ray.propagate = kept[1:]


def configured(form: str, level: str = "INFO", **fields: Any) -> io.StringIO:
    stream = io.StringIO()
    settings = Settings(
        logging=LoggingSettings(format=form, level=level),  # type: ignore[arg-type]
        mongo=MongoSettings(uri=SecretStr(f"mongodb://user:{SECRET}@host")),
        auth=AuthSettings(signing_key=SecretStr(KEY)),
    )
    configure_logging(settings, "slot", stream=stream, **fields)
    return stream


def test_a_json_line_has_its_fields_beside_the_message() -> None:
    stream = configured("json", pipeline="sensor-processing", slot=2)
    place = {"sensor_id": "s\u00fc\n1", "topic": "imu-data-all", "partition": 3, "offset": 912}
    with log_context(request_id="4711"):
        log.warning("%s cannot be shown", "it", extra=place)
    (text,) = stream.getvalue().splitlines()
    line = json.loads(text)
    assert line.items() >= place.items()
    assert line["message"] == "it cannot be shown"
    assert (line["level"], line["logger"]) == ("WARNING", "pipelines.test_logs")
    assert (line["role"], line["pipeline"], line["slot"]) == ("slot", "sensor-processing", 2)
    assert line["request_id"] == "4711"
    assert line["pid"] > 0
    assert line["time"].endswith("Z")
    assert datetime.fromisoformat(line["time"]).utcoffset() is not None


def test_what_a_line_says_itself_counts_more_than_its_process_and_context() -> None:
    stream = configured("json", slot=2)
    with log_context(slot=3):
        log.info("one", extra={"slot": 4})
        log.info("two")
    log.info("three")
    slots = [json.loads(line)["slot"] for line in stream.getvalue().splitlines()]
    assert slots == [4, 3, 2]


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_of_the_settings_is_in_a_line(form: str) -> None:
    stream = configured(form)
    try:
        raise ValueError(f"mongodb://user:{SECRET}@host does not answer; key {KEY}")
    except ValueError:
        log.exception("it failed: mongodb://user:%s@host", SECRET, extra={"uri": KEY})
    log.warning("the password alone: %s", SECRET)
    text = stream.getvalue()
    assert SECRET not in text
    assert "abc" not in text
    assert HIDDEN in text


def test_an_exception_is_a_field_of_one_json_line() -> None:
    stream = configured("json")
    try:
        raise KeyError("x")
    except KeyError:
        log.exception("it failed")
    (text,) = stream.getvalue().splitlines()
    assert "KeyError" in json.loads(text)["exception"]


def test_the_level_is_for_our_loggers_and_others_tell_warnings() -> None:
    stream = configured("json", "DEBUG")
    log.debug("ours")
    logging.getLogger("somebody.else").info("not told")
    logging.getLogger("somebody.else").warning("told")
    logging.getLogger("ray").warning("told too")
    messages = [json.loads(line)["message"] for line in stream.getvalue().splitlines()]
    assert messages == ["ours", "told", "told too"]


def test_a_text_line_is_for_people() -> None:
    stream = configured("text", pipeline="archive")
    log.info("slot 0 is running", extra={"partition": 3})
    line = stream.getvalue()
    assert "Z INFO pipelines.test_logs: slot 0 is running [" in line
    assert "partition=3" in line
    assert "pipeline=archive" in line
