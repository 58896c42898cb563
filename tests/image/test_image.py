"""The Containerfile's image: built step by step, and the stream run from it as a pod runs it."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from cluster.bench.backlog_progress import wait_until_drained
from cluster.local.ray_head import ray_environment
from cluster.local.settings_environment import settings_environment
from cluster.local.stack import Stack
from cluster.setup.paths import TOOLS
from pipelines import topics
from pipelines.settings import Settings
from pipelines.verify import verify
from simulator.fleet import run
from simulator.options import FleetOptions
from tests.conftest import running_stack
from tests.image.image import Image
from tests.image.root_file_system import entering
from tests.integration.topic_reader import wait_until

WRITABLE = ("/tmp", "/run/imustream")
STAGES = ("sensor-processing", "session-aggregation", topics.SESSION_WRITER)
"""The archive's files lie in the image's own /tmp, and nobody serves a model."""

_START_S = 300.0

# As the pods' init container and KubeRay's command do it, and the keeper after them.
_POD = """
set -e
cp -r /opt/imustream/run/. /run/imustream/
touch /tmp/began
ray start --head --node-ip-address=127.0.0.1 --port="$RAY_PORT" --num-cpus=16 \
  --include-dashboard=false --temp-dir=/tmp/ray --object-store-memory=100000000 \
  --disable-usage-stats
python -m actors
anew=$(find /run/imustream/compiled -newer /tmp/began -name "*.nb?" -printf "%f ")
echo "compiled anew: $anew."
echo "all runs"
exec sleep infinity
"""


@pytest.fixture(scope="module")
def image() -> Image:
    """The image's builder; what did not change since is not built again."""
    assert os.geteuid() == 0, "to make a root file system takes root: run `make test-image` as root"
    folder = TOOLS.resolve() / "image"
    folder.mkdir(exist_ok=True)
    return Image(folder)


@pytest.fixture(scope="module")
def servers() -> Iterator[Stack]:
    """Kafka, Mosquitto and the document database, outside."""
    with running_stack(("kafka", "mosquitto", "documentdb")) as stack:
        yield stack


def said_by(image: Image, command: str) -> str:
    """Run a shell's command as a pod would, and return what it said."""
    process = _enter(image, command, {}, subprocess.PIPE)
    said, _ = process.communicate(timeout=60)
    return said


@contextmanager
def pod(image: Image, settings: Settings, log: Path) -> Iterator[None]:
    """Run the stream in the image, until the block ends."""
    inside = settings.model_copy(deep=True)
    inside.models.url, inside.archive.url = "file:///tmp/models", "file:///tmp/archive"
    inside.local.state_dir = Path("/tmp/state")
    port = {"RAY_PORT": str(settings.local.ray_port)}
    environment = {**settings_environment(inside), **ray_environment(), **port}
    with log.open("w") as output:
        process = _enter(image, _POD, environment, output)
        try:
            wait_until(
                "the stream to run in the image",
                lambda: process.poll() is not None or "all runs" in log.read_text(),
                _START_S,
            )
            assert process.poll() is None, log.read_text()[-3000:]
            yield
        finally:
            process.kill()
            process.wait(30)


def _enter(
    image: Image, command: str, environment: dict[str, str], output: IO[str] | int
) -> "subprocess.Popen[str]":
    target = image.target
    return entering(
        image.build(),
        ["/bin/bash", "-c", command],
        {**target.environment, **environment},
        folder=target.folder,
        user=target.user,
        writable=WRITABLE,
        output=output,
    )


@pytest.mark.timeout(900)
def test_it_builds_and_can_write_nowhere_but_where_pods_mount_something(image: Image) -> None:
    said = said_by(
        image, "id; for f in / /app /opt/venv /etc /tmp /run/imustream; do touch $f/x; done"
    )
    assert said.startswith("uid=10001(imustream) gid=10001(imustream)")
    refused = [line for line in said.splitlines() if "Read-only file system" in line]
    assert [line.split("'")[1] for line in refused] == ["//x", "/app/x", "/opt/venv/x", "/etc/x"]


def test_it_holds_no_tests_and_no_data(image: Image) -> None:
    said = said_by(image, "ls -a /app; imustream --help")
    assert "tests" not in said.split("Usage")[0].split()
    assert ".git" not in said.split()
    assert "imustream" in said


@pytest.mark.timeout(900)
def test_the_stream_runs_in_it_without_compiling_anything(
    image: Image, servers: Stack, tmp_path: Path
) -> None:
    settings, log = servers.settings, tmp_path / "pod.log"
    with pod(image, settings, log):
        sent = tmp_path / "sent.json"
        run(FleetOptions(sensors=20, seconds=10, duplicates=0.05), settings.mqtt).write(sent)
        wait_until_drained(settings, STAGES)
        result = verify(settings, sent, stages=STAGES)
    assert result.ok, result.differences[:5]
    assert result.samples > 20_000
    assert "compiled anew: ." in log.read_text()
