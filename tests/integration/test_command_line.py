"""The command line as a user meets it: what it prints, its exit codes, never a traceback."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.local.ports import settings_on_free_ports
from cluster.local.settings_environment import settings_environment, without_settings
from cluster.local.stack import Stack
from cluster.setup.paths import ROOT

COMMANDS = ("up", "down", "status", "doctor", "settings", "demo")


def _imustream(
    *arguments: str, folder: Path, environment: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "cluster.cli", *arguments],
        env={**without_settings(), "PYTHONPATH": str(ROOT), **(environment or {})},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str, tmp_path: Path) -> None:
    shown = _imustream(command, "--help", folder=tmp_path)
    assert shown.returncode == 0
    assert f"imustream {command}" in shown.stdout
    assert "Example" in shown.stdout


def test_settings_are_printed_with_descriptions_and_secrets_masked(tmp_path: Path) -> None:
    environment = {"IMUSTREAM_AUTH__SIGNING_KEY": "s3cret" * 8, "IMUSTREAM_MQTT__PORT": "1999"}
    shown = _imustream("settings", "--json", folder=tmp_path, environment=environment)
    assert "s3cret" not in shown.stdout
    rows = {row["setting"]: row for row in json.loads(shown.stdout)}
    assert rows["mqtt.port"]["value"] == 1999
    assert rows["mqtt.port"]["variable"] == "IMUSTREAM_MQTT__PORT"
    assert all(row["description"] for row in rows.values())


def test_a_wrong_setting_is_one_line_that_names_it(tmp_path: Path) -> None:
    environment = {"IMUSTREAM_MQTT__PORT": "none"}
    shown = _imustream("settings", folder=tmp_path, environment=environment)
    assert shown.returncode == 2
    assert len(shown.stderr.splitlines()) == 1
    assert "IMUSTREAM_MQTT__PORT" in shown.stderr


def test_up_names_a_port_in_use_and_starts_nothing(tmp_path: Path) -> None:
    settings = settings_on_free_ports(tmp_path)
    environment = settings_environment(settings)
    with socket.create_server(("127.0.0.1", settings.mqtt.port)):
        shown = _imustream("up", folder=tmp_path, environment=environment)
    assert shown.returncode == 2
    assert len(shown.stderr.splitlines()) == 1
    assert f"port {settings.mqtt.port}" in shown.stderr
    assert f"pid {os.getpid()}" in shown.stderr
    assert "IMUSTREAM_MQTT__PORT" in shown.stderr
    assert Stack(settings).processes() == []


def test_a_stack_that_is_down_says_so(tmp_path: Path) -> None:
    shown = _imustream("status", "--json", folder=tmp_path)
    assert shown.returncode == 1
    assert json.loads(shown.stdout) == {"up": False, "processes": [], "pipelines": []}
    shown = _imustream("down", folder=tmp_path)
    assert shown.returncode == 0
    assert "was not up" in shown.stdout


def test_doctor_says_what_to_do_about_a_broker_that_is_away(tmp_path: Path) -> None:
    settings = settings_on_free_ports(tmp_path)
    environment = settings_environment(settings)
    shown = _imustream("doctor", "--json", folder=tmp_path, environment=environment)
    assert shown.returncode == 1
    findings = {one["subject"]: one for one in json.loads(shown.stdout)["findings"]}
    assert findings["Java"]["well"] is True
    for server in (
        f"Kafka at {settings.kafka.bootstrap_servers}",
        f"MQTT at 127.0.0.1:{settings.mqtt.port}",
    ):
        assert findings[server]["well"] is False
        assert "imustream up" in findings[server]["remedy"]
