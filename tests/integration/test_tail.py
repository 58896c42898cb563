"""`imustream tail` over real Kafka."""

import json
import sys
from pathlib import Path

import pytest
from live_records import samples, transformed_record
from serve_clients import Pipeline
from typer.testing import CliRunner

from cluster import cli
from cluster.local.stack import Stack
from pipelines.admin import create_topics

SENSOR = "tail-sensor"


def _use(stack: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    servers = stack.settings.kafka.bootstrap_servers
    monkeypatch.setenv("IMUSTREAM_KAFKA__BOOTSTRAP_SERVERS", servers)
    monkeypatch.setenv("IMUSTREAM_LOCAL__STATE_DIR", str(tmp_path))


def test_it_prints_a_sensors_samples_as_words_and_as_json(
    servers: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _use(servers, monkeypatch, tmp_path)
    create_topics(servers.settings.kafka)
    pipeline = Pipeline(servers.settings.kafka)
    with pipeline.transaction():
        value = transformed_record([samples("another", 0, 64), samples(SENSOR, 64, 64)])
        pipeline.transformed(SENSOR, value)
    arguments = ["tail", "transformed", SENSOR, "--from-beginning", "-n", "1"]
    words = CliRunner().invoke(cli.build_app(), arguments)
    assert words.exit_code == 0
    assert f"{SENSOR}  boot" in words.output
    assert "samples 64-127 (64)" in words.output
    shown = CliRunner().invoke(cli.build_app(), [*arguments, "--json"])
    assert json.loads(shown.output)["columns"]["sample_index"][:2] == [64, 65]


def test_a_broker_that_is_away_is_one_line_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IMUSTREAM_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("IMUSTREAM_LOCAL__STATE_DIR", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["imustream", "tail", "raw"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "127.0.0.1:1" in line
