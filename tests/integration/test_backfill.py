"""`imustream backfill` as a user runs it: on Ray, killed in the middle, gone on with."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cluster.local.ray_head import ray_environment
from cluster.local.settings_environment import without_settings
from cluster.setup.paths import ROOT
from pipelines import topics
from pipelines.archive.folder_store import FolderStore
from pipelines.archive.schemas import SCHEMAS
from pipelines.backfill.ray_run import answers
from simulator.options import FleetOptions
from tests.unit.archived_fleet import FAULTY, START_US, fleet_records, write_raw

TIMEOUT_S = 180


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Raw files of a fleet with every fault."""
    folder = tmp_path_factory.mktemp("archive")
    for partition, records in fleet_records(FAULTY).items():
        write_raw(FolderStore(folder), partition, records, range_rows=150)
    return folder


def command(archive: Path, target: Path, *options: str) -> list[str]:
    return [
        *(sys.executable, "-m", "cluster.cli", "backfill", "--json"),
        *("--archive", f"file://{archive}", "--target", f"file://{target}"),
        *options,
    ]


def environment() -> dict[str, str]:
    return {
        **without_settings(),
        **ray_environment(),
        "IMUSTREAM_RAY__ADDRESS": "local",
        "IMUSTREAM_LOCAL__STATE_DIR": "/nonexistent/imustream",
        "IMUSTREAM_BACKFILL__CHUNK_BYTES": "60000",
        "IMUSTREAM_BACKFILL__STEP_RECORDS": "32",
    }


def run(archive: Path, target: Path, *options: str) -> dict[str, Any]:
    done = subprocess.run(
        command(archive, target, *options),
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def kill_in_the_middle(archive: Path, target: Path) -> int:
    """Kill the command once it has written some chunks; return how many files there are then."""
    process = subprocess.Popen(
        command(archive, target),
        env=environment(),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + TIMEOUT_S
    while len(files := list(target.rglob("*.parquet"))) < 20:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(TIMEOUT_S)
    return len(files)


def data(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*.parquet")
        if not path.name.startswith(".")
    }


@pytest.mark.slow
def test_killed_in_the_middle_and_resumed_it_leaves_the_files_of_one_run(
    archive: Path, tmp_path: Path
) -> None:
    once = run(archive, tmp_path / "once")
    assert once["whole"]
    assert once["exact_from_us"] == {}
    assert once["rows"]["sensor-data-transformed"] > 100_000
    killed_at = kill_in_the_middle(archive, tmp_path / "killed")
    resumed = run(archive, tmp_path / "killed", "--resume")
    assert {**resumed, "target": once["target"]} == once
    assert data(tmp_path / "killed") == data(tmp_path / "once")
    assert killed_at < len(data(tmp_path / "once"))


def test_a_ray_cluster_that_is_away_is_not_waited_for() -> None:
    assert answers("auto")
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        assert answers(address)
    assert not answers(address)


def test_a_wrong_option_is_one_line_and_exit_code_2(archive: Path, tmp_path: Path) -> None:
    asked = command(archive, tmp_path / "none", "--pipelines", "sensor_processing")
    done = subprocess.run(
        asked, env=environment(), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: --pipelines: there is no 'sensor_processing'")


@pytest.mark.slow
def test_the_training_set_of_the_readme_holds_features_and_predictions(tmp_path: Path) -> None:
    fleet = FleetOptions(sensors=4, seconds=20, start_us=START_US, as_fast_as_possible=True)
    for partition, records in fleet_records(fleet).items():
        write_raw(FolderStore(tmp_path / "archive"), partition, records, range_rows=500)
    run(tmp_path / "archive", tmp_path / "filled")
    expected = predict_from(tmp_path / "filled")
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs/examples/training_set.py"), str(tmp_path / "filled")],
        env={**environment(), "RAY_ADDRESS": "local"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    shapes = [line for line in done.stdout.splitlines() if line.startswith("(")]
    assert shapes, done.stdout
    assert all(re.fullmatch(r"\(\d+, 200, 6\) \(\d+, 200\)", shape) for shape in shapes)
    assert sum(int(shape[1:].split(",")[0]) for shape in shapes) == expected


def predict_from(folder: Path) -> int:
    """Write predictions of the samples there, any numbers; return how many sequences there are."""
    sequences = 0
    for file in (folder / topics.TRANSFORMED).rglob("*.parquet"):
        samples = pq.ParquetFile(file).read()
        count = len(samples)
        made = {name: samples[name] for name in ("sensor_id", "boot", "sample_index")}
        made |= {
            "timestamp_us": samples["timestamp_us"],
            "velocity": samples["accl_mag"],
            "moving_probability": samples["gyro_mag"],
            "model_name": pa.array(["velocity"] * count),
            "model_version": pa.array(["1"] * count),
            "model_sha256": pa.array(["0" * 64] * count),
            "offset": samples["offset"],
        }
        path = Path(str(file).replace(topics.TRANSFORMED, topics.PREDICTIONS))
        path.parent.mkdir(parents=True, exist_ok=True)
        table = pa.Table.from_pydict(made, schema=SCHEMAS[topics.PREDICTIONS])
        pq.write_table(table, path)
    samples = pq.read_table(folder / topics.TRANSFORMED, columns=["sensor_id"])
    for one in samples.group_by("sensor_id").aggregate([([], "count_all")]).to_pylist():
        sequences += one["count_all"] // 200
    return sequences
