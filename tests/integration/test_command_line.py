"""The command line as a user meets it: what it prints, its exit codes, never a traceback."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cluster.local.ports import settings_on_free_ports
from cluster.local.settings_environment import settings_environment, without_settings
from cluster.local.stack import Stack
from cluster.setup.paths import ROOT
from pipelines.settings import load_settings
from serve.local_issuer import bearer_of
from serve.principal import Role
from serve.signing_key import new_key_pem

COMMANDS = ("up", "down", "status", "doctor", "settings", "demo", "link", "token")


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
    environment = {
        "IMUSTREAM_AUTH__SIGNING_KEY": "s3cret" * 8,
        "IMUSTREAM_KAFKA__OPTIONS": '{"ssl.key.password": "s3cret", "debug": "all"}',
        "IMUSTREAM_MQTT__PORT": "1999",
    }
    shown = _imustream("settings", "--json", folder=tmp_path, environment=environment)
    assert "s3cret" not in shown.stdout
    rows = {row["setting"]: row for row in json.loads(shown.stdout)}
    assert rows["mqtt.port"]["value"] == 1999
    assert rows["mqtt.port"]["variable"] == "IMUSTREAM_MQTT__PORT"
    assert all(row["description"] for row in rows.values())


def test_a_token_is_printed_with_the_rights_that_were_asked_for(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text(new_key_pem())
    asked = ("--role", "operator", "--sensor", "a-*", "--sensor", "b", "--subject", "ada")
    shown = _imustream(
        *("token", *asked, "--hours", "2"),
        folder=tmp_path,
        environment={"IMUSTREAM_AUTH__SIGNING_KEY_FILE": str(key)},
    )
    assert shown.returncode == 0, shown.stderr
    auth = load_settings(auth={"signing_key": key.read_text()}).auth
    found = bearer_of(auth, shown.stdout.strip())
    assert (found.subject, found.role, found.sensors) == ("ada", Role.OPERATOR, ("a-*", "b"))
    assert 7_000 < found.expires_s - time.time() <= 7_200


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
