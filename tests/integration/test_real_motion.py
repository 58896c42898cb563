"""Real recordings through everything that `imustream up` starts, proved at the end."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from topic_reader import read_topic, wait_until

from cluster.bench.backlog_progress import wait_until_drained
from cluster.local.settings_environment import child_environment
from cluster.local.stack import Stack
from cluster.setup.paths import ROOT
from pipelines import topics
from pipelines.verify import verify

pytest.importorskip("seglearn")

SENSORS = 7
PREFIX = "real-"


@pytest.fixture(scope="module")
def report(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven exercises, replayed and processed; what was sent."""
    file = tmp_path_factory.mktemp("replay") / "sent.json"
    replay = ("--replay", "seglearn", "--sensors", str(SENSORS), "--sensor-prefix", PREFIX)
    subprocess.run(
        [
            *(sys.executable, "-m", "cluster.cli", "simulate", *replay),
            *("--as-fast-as-possible", "--report", str(file)),
        ],
        env=child_environment(stack.settings, ROOT),
        check=True,
        timeout=120,
    )
    return file


def windows_of(stack: Stack) -> Counter[str]:
    """How many samples the motion windows of each replayed sensor hold."""
    samples: Counter[str] = Counter()
    for record in read_topic(stack.settings.kafka.bootstrap_servers, topics.AGGREGATED):
        if (record.key() or b"").startswith(PREFIX.encode()):
            window = json.loads(record.value())
            if window["kind"] == "motion":
                samples[window["sensor_id"]] += window["samples"]
    return samples


def test_every_sample_of_a_recording_is_in_one_motion_window(stack: Stack, report: Path) -> None:
    sent: dict[str, Any] = json.loads(report.read_text())
    expected = Counter(
        dict(zip(sent["sensors"]["sensor_id"], sent["replay"]["samples"], strict=True))
    )
    assert len(expected) == SENSORS
    # The last window of each closes by ten ticks of silence.
    wait_until("the windows of every recording", lambda: windows_of(stack) == expected)


def sessions_of(stack: Stack) -> list[dict[str, Any]]:
    """The sessions of the replayed sensors in MongoDB."""
    mongo = stack.settings.mongo
    client: MongoClient[dict[str, Any]] = MongoClient(mongo.uri.get_secret_value())
    with client:
        found = client[mongo.database]["sessions"].find()
        return [s["session"] for s in found if s["session"]["sensor_id"].startswith(PREFIX)]


def test_every_recording_is_a_session_with_the_models_velocity(stack: Stack, report: Path) -> None:
    wait_until(
        "a session of each sensor, amended by its velocity windows",
        lambda: len([s for s in sessions_of(stack) if s["velocity_windows"]]) == SENSORS,
    )
    for session in sessions_of(stack):
        assert session["velocity_max"] >= 0
        assert session["distance_m"] >= 0
        assert session["acc_mag_max"] > 1.0


def test_verify_proves_a_replay_from_publish_to_the_documents(stack: Stack, report: Path) -> None:
    wait_until_drained(stack.settings)
    result = verify(stack.settings, report)
    assert result.ok, result.differences[:5]
    assert not result.unproved
    predicted = sum(
        row.checked["predicted"] for row in result.stages if row.stage == "ml-inference"
    )
    sent = json.loads(report.read_text())
    assert predicted >= sum(sent["replay"]["samples"])
