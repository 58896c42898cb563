"""The demo as a new user runs it: one link, a log-in, Ctrl-C, and nothing left behind."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cluster.local.ports import is_free, settings_on_free_ports
from cluster.local.settings_environment import settings_environment, without_settings
from cluster.local.stack import Stack
from cluster.setup.paths import ROOT
from pipelines.settings import Settings

_UP_WITHIN_S = 240.0
_POLL_S = 0.2


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    settings = settings_on_free_ports(tmp_path_factory.mktemp("demo"))
    yield settings
    Stack(settings).down()


def _demo(settings: Settings, *arguments: str, output: Path) -> "subprocess.Popen[bytes]":
    environment = {**without_settings(), **settings_environment(settings), "PYTHONPATH": str(ROOT)}
    with output.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "cluster.cli", "demo", *arguments],
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )


def _wait_for_link(process: "subprocess.Popen[bytes]", output: Path) -> str:
    deadline = time.monotonic() + _UP_WITHIN_S
    while time.monotonic() < deadline:
        found = re.search(r"http://\S+/login\?code=\S+", output.read_text())
        if found:
            return found.group()
        assert process.poll() is None, output.read_text()
        time.sleep(_POLL_S)
    raise AssertionError(f"no link in {_UP_WITHIN_S} s: {output.read_text()}")


def _assert_nothing_is_left(settings: Settings, stack_id: str) -> None:
    marked = f"IMUSTREAM_STACK={stack_id}".encode()
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            assert marked not in environment.read_bytes(), environment
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    for server in Stack(settings).servers():
        for port in server.ports:
            assert is_free(port.number), port


def _wait_until_begun(settings: Settings, process: "subprocess.Popen[bytes]") -> str:
    """Wait until servers are being started; returns the mark that their processes carry."""
    deadline = time.monotonic() + _UP_WITHIN_S
    while time.monotonic() < deadline:
        record = Stack(settings).folder.record()
        if record is not None and not is_free(settings.mqtt.port):
            return record.stack_id
        assert process.poll() is None
        time.sleep(_POLL_S)
    raise AssertionError(f"nothing started in {_UP_WITHIN_S} s")


@pytest.mark.timeout(600)
def test_a_demo_logs_in_once_counts_every_stage_loses_nothing_and_leaves_nothing(
    settings: Settings, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    process = _demo(settings, "--seconds", "12", output=output)
    link = _wait_for_link(process, output)
    record = Stack(settings).folder.record()
    assert record is not None
    with httpx.Client(follow_redirects=True) as browser:
        assert browser.get(link).status_code == 200
    with httpx.Client(follow_redirects=True) as another:
        assert another.get(link).status_code >= 400
    assert process.wait(_UP_WITHIN_S * 2) == 0, output.read_text()
    shown = output.read_text()
    assert "lost: 0, doubled: 0" in shown
    for stage in ("Mosquitto, bridge", "sensor_processing", "WebSocket"):
        assert stage in shown
    _assert_nothing_is_left(settings, record.stack_id)


def test_ctrl_c_while_the_demo_starts_leaves_nothing(settings: Settings, tmp_path: Path) -> None:
    output = tmp_path / "output"
    process = _demo(settings, output=output)
    stack_id = _wait_until_begun(settings, process)
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(120) == 0, output.read_text()
    _assert_nothing_is_left(settings, stack_id)
