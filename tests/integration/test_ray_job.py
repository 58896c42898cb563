"""`ray job submit` of the working tree starts the pipelines on a Ray cluster."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.chaos.load import load
from cluster.chaos.strikes import processes
from cluster.local.ray_head import ray_environment
from cluster.local.settings_environment import child_environment
from cluster.local.stack import Stack
from cluster.setup.paths import ROOT
from tests.conftest import running_stack

SUBMIT_TIMEOUT_S = 180


@pytest.fixture(scope="module")
def cluster() -> Iterator[Stack]:
    """Kafka, Mosquitto and a Ray head on which nothing of ours runs."""
    with running_stack(("kafka", "mosquitto", "ray")) as stack:
        yield stack


def submit(stack: Stack) -> "subprocess.CompletedProcess[str]":
    settings = stack.settings
    variables = {
        "IMUSTREAM_KAFKA__BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers,
        "IMUSTREAM_MQTT__PORT": str(settings.mqtt.port),
        **ray_environment(),
    }
    return subprocess.run(
        [
            *(sys.executable, "-m", "ray.scripts.scripts", "job", "submit"),
            *("--address", f"http://127.0.0.1:{settings.local.dashboard_port}"),
            *("--working-dir", str(ROOT)),
            *("--runtime-env-json", json.dumps({"env_vars": variables, "excludes": [".git"]})),
            *("--", "python", "-m", "actors"),
        ],
        env={**child_environment(settings, ROOT), **ray_environment(), "HOME": os.environ["HOME"]},
        capture_output=True,
        text=True,
        timeout=SUBMIT_TIMEOUT_S,
        check=False,
    )


def test_a_submitted_job_starts_pipelines_that_outlive_it(cluster: Stack, tmp_path: Path) -> None:
    submitted = submit(cluster)
    assert submitted.returncode == 0, submitted.stdout[-2000:] + submitted.stderr[-2000:]
    assert "sensor-processing: running" in submitted.stdout
    with load(cluster, "job", tmp_path, seconds=6.0) as running:
        # Neither a document database nor the models run here: those pipelines wait, and say so.
        assert running.prove(["sensor-processing", "session-aggregation"]).ok
    assert processes(cluster, "Processor")
