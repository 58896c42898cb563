"""`imustream trace` on the whole stack: one sample through every stage, and why others are not."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from topic_reader import wait_until
from typer.testing import CliRunner

from actors.registry import PIPELINES
from cluster import cli
from cluster.local.ray_head import ray_folder
from cluster.local.stack import Stack
from tests.conftest import UNLOGGED_SECRET
from tests.unit.frame_building import PERIOD_US, frame

SENSOR = "traced"
SAMPLES = 64
FRAMES = 26
LOST, TWICE, BROKEN, KEPT = 5, 7, 9, 11
STAGES = ("mqtt", "transformed", "motion_window", "prediction", "session", "mongodb", "archive")


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    """A device's connection."""
    device = Client(CallbackAPIVersion.VERSION2)
    device.connect("127.0.0.1", stack.settings.mqtt.port)
    device.loop_start()
    yield device
    device.disconnect()
    device.loop_stop()


@pytest.fixture
def start_us(stack: Stack, client: Client, monkeypatch: pytest.MonkeyPatch) -> int:
    """When a device began whose last eight seconds have come at once."""
    for name, value in stack.folder.record().settings.items():  # type: ignore[union-attr]
        monkeypatch.setenv(name, value)
    begun_us = time.time_ns() // 1000 - FRAMES * SAMPLES * PERIOD_US
    for number in range(FRAMES):
        payload = _frame(begun_us, number)
        for _ in range({LOST: 0, TWICE: 2}.get(number, 1)):
            sent = payload[:-1] + bytes([payload[-1] ^ 1]) if number == BROKEN else payload
            client.publish(f"imu/{SENSOR}", sent, qos=1).wait_for_publish(10)
    return begun_us


def _frame(begun_us: int, number: int) -> bytes:
    base = number * SAMPLES
    return frame(base, begun_us + base * PERIOD_US, SAMPLES)


def _trace(*arguments: str, code: int = 0) -> dict[str, Any]:
    ran = CliRunner().invoke(cli.build_app(), ["trace", SENSOR, *arguments, "--json"])
    assert ran.exit_code == code, ran.output
    found: dict[str, Any] = json.loads(ran.output)
    return found


def _states(found: dict[str, Any]) -> dict[str, str]:
    return {stage["name"]: stage["state"] for stage in found["stages"]}


def _is_everywhere(sample: int) -> bool:
    ran = CliRunner().invoke(cli.build_app(), ["trace", SENSOR, str(sample), "--json"])
    if ran.exit_code != 0:
        return False
    stages = json.loads(ran.output)["stages"]
    return all(stage["state"] == "here" for stage in stages)


def test_a_sample_is_shown_at_every_stage_and_others_with_their_reasons(
    start_us: int, client: Client
) -> None:
    sample = KEPT * SAMPLES + 3
    wait_until("the sample is everywhere", lambda: _is_everywhere(sample))
    found = _trace(str(sample))
    by_name = {stage["name"]: stage for stage in found["stages"]}
    assert set(STAGES) <= by_name.keys()
    assert by_name["transformed"]["facts"]["timestamp_us"] == start_us + sample * PERIOD_US
    assert by_name["mqtt"]["place"] == found["trace_id"]
    assert by_name["motion_window"]["after_us"] >= 0
    archived = [stage["facts"]["topic"] for stage in found["stages"] if stage["name"] == "archive"]
    assert len(archived) == 5

    kept = _trace(str(sample), "--where", "archive")
    places = {stage["name"]: stage["place"] for stage in kept["stages"]}
    assert places == {stage["name"]: stage["place"] for stage in found["stages"]}

    (mqtt, *_) = _trace(str(TWICE * SAMPLES))["stages"]
    assert len(mqtt["facts"]["copies"]) == 1

    ran = CliRunner().invoke(cli.build_app(), ["trace", found["trace_id"], "--json"])
    by_id = json.loads(ran.output)
    assert (by_id["sample"], by_id["trace_id"]) == (KEPT * SAMPLES, found["trace_id"])

    broken = _trace(str(BROKEN * SAMPLES + 1))
    assert broken["stages"][-1]["facts"]["reason"] == "crc_mismatch"
    lost = _trace(str(LOST * SAMPLES), code=1)
    assert "never received" in lost["stages"][0]["words"]
    to_come = _trace(str(10_000_000), code=1)
    assert "not received" in to_come["stages"][0]["words"]

    _follows_a_frame_live(start_us, client)


def _follows_a_frame_live(start_us: int, client: Client) -> None:
    done = threading.Event()

    def go_on() -> None:
        # What went on where it stopped would be late: silence has closed that window.
        number = (time.time_ns() // 1000 - start_us) // (SAMPLES * PERIOD_US)
        while not done.wait(SAMPLES * PERIOD_US / 1e6):
            client.publish(f"imu/{SENSOR}", _frame(start_us, number), qos=1)
            number += 1

    device = threading.Thread(target=go_on)
    device.start()
    try:
        # It ends when all has come: a busy machine takes longer than the usual 15 seconds.
        found = _trace("--latest", "--within", "120")
    finally:
        done.set()
        device.join()
    states = _states(found)
    assert [name for name, state in states.items() if state != "here"] == []
    assert {"mqtt", "transformed", "websocket", "prediction", "session"} <= states.keys()
    in_order = {stage["name"]: stage["after_us"] for stage in found["stages"]}
    assert 0 <= in_order["transformed"] <= in_order["prediction"]
    assert 0 < in_order["websocket"] < 5_000_000


def _logged(stack: Stack) -> Iterator[dict[str, Any]]:
    """Lines of ours in the logs of Ray's workers; what Ray itself writes there is no JSON."""
    folder = ray_folder(stack.folder.runtime_dir) / "session_latest" / "logs"
    for file in folder.glob("worker-*.err"):
        for line in file.read_text().splitlines():
            if line.startswith("{"):
                yield json.loads(line)


def test_the_processes_in_ray_log_json_that_says_what_a_line_is_about(stack: Stack) -> None:
    lines = list(_logged(stack))
    running = {
        (line["pipeline"], line["slot"])
        for line in lines
        if line["role"] == "slot" and line["message"] == "the slot is running"
    }
    assert {(pipeline, 0) for pipeline in PIPELINES} <= running
    assert {"bridge", "supervisor", "slot"} <= {line["role"] for line in lines}
    assert not any(UNLOGGED_SECRET in json.dumps(line) for line in lines)
    assert all(line["time"].endswith("Z") and line["pid"] for line in lines)
