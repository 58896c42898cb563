"""Recordings through a real Mosquitto, the bridge, a real Kafka and sensor_processing."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from topic_reader import read_topic, wait_until

from actors.bridge_loop import BridgeLoop
from cluster.local.settings_environment import child_environment
from cluster.local.stack import Stack
from cluster.setup.paths import ROOT
from pipelines import topics
from pipelines.admin import create_topics
from pipelines.operators.sensor_processing import SensorProcessing
from pipelines.owned_partition import SlotIdentity
from pipelines.settings import Settings
from pipelines.slot import Slot
from pipelines.slot_loop import SlotLoop
from pipelines.transformed import AXES, SCHEMA
from pipelines.verify import verify
from simulator.readings import ACC_G_PER_COUNT, GYRO_RAD_S_PER_COUNT, MAG_GAUSS_PER_COUNT
from simulator.recording import Recording
from simulator.replay_csv import CsvForm
from simulator.replay_source import recordings_of
from simulator.resampling import resampled
from tests.conftest import running_stack

FAST = "--as-fast-as-possible"

pytestmark = pytest.mark.slow
STEPS = np.array([ACC_G_PER_COUNT] * 3 + [GYRO_RAD_S_PER_COUNT] * 3 + [MAG_GAUSS_PER_COUNT] * 3)


@contextmanager
def thread_of(loop: BridgeLoop | SlotLoop) -> Iterator[None]:
    """Run a loop until the block ends."""
    thread = threading.Thread(target=loop.run)
    thread.start()
    try:
        yield
    finally:
        loop.stop()
        thread.join(30)


@pytest.fixture(scope="module")
def settings() -> Iterator[Settings]:
    """Servers of its own, with a bridge and sensor_processing at work."""
    with running_stack(("kafka", "mosquitto")) as stack:
        yield from _at_work(stack)


def _at_work(stack: Stack) -> Iterator[Settings]:
    settings = stack.settings
    create_topics(settings.kafka)
    operator = SensorProcessing(settings.processing, "test")
    identity = SlotIdentity(operator.name, 1, 0, 1, "test")
    bridge = BridgeLoop(settings, "test")
    slot = SlotLoop(lambda: Slot(operator, settings, identity), settings, identity)
    with thread_of(bridge), thread_of(slot):
        wait_until("the bridge to connect", lambda: bridge.status()["ready"])
        yield settings


def replay(settings: Settings, report: Path, *arguments: str) -> dict[str, object]:
    """Run the command, wait until every sample is transformed, return the report."""
    command = ("simulate", "--report", str(report), "--replay", *arguments)
    done = subprocess.run(
        [sys.executable, "-m", "cluster.cli", *command],
        env=child_environment(settings, ROOT),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    sent: dict[str, object] = json.loads(report.read_text())
    wait_until(
        "every sample of every recording",
        lambda: (
            [
                len(transformed(settings, sensor_id))
                for sensor_id in sent["sensors"]["sensor_id"]  # type: ignore[index]
            ]
            == sent["replay"]["samples"]
        ),  # type: ignore[index]
    )
    return sent


def transformed(settings: Settings, sensor_id: str) -> pa.Table:
    """The rows of one sensor, in the order of its sample numbers."""
    tables = [
        pa.ipc.open_stream(record.value()).read_all()
        for record in read_topic(settings.kafka.bootstrap_servers, topics.TRANSFORMED)
        if record.value()[:1] == b"\xff"  # a tick is JSON
    ]
    whole = pa.concat_tables([SCHEMA.empty_table(), *tables]).unify_dictionaries()
    ours = whole.filter(pc.equal(whole["sensor_id"].cast(pa.string()), sensor_id))
    return ours.sort_by("sample_index")


def assert_is(table: pa.Table, recording: Recording, max_gap_s: float = 0.25) -> None:
    """The rows are the recording on the grid, within a quantisation step."""
    expected = resampled(recording, 200.0, max_gap_s)
    assert table["sample_index"].to_pylist() == expected.number.tolist()
    found = np.stack([table[name].to_numpy() for name in AXES], axis=1)
    assert (np.abs(found - expected.readings) <= STEPS).all()
    step_us = np.diff(table["timestamp_us"].to_numpy()) - np.diff(expected.number) * 5_000
    assert np.abs(step_us).max() <= 1


def test_watch_recordings_arrive_as_they_were_made_and_verify_proves_it(
    settings: Settings, tmp_path: Path
) -> None:
    pytest.importorskip("seglearn")
    report = tmp_path / "sent.json"
    sent = replay(settings, report, "seglearn", "--sensors", "7", "--sensor-prefix", "watch-", FAST)
    recordings = recordings_of("seglearn", CsvForm(), 7)
    assert sent["replay"]["recordings"] == [one.name for one in recordings]  # type: ignore[index]
    assert sum(sent["replay"]["saturated_values"]) == 0  # type: ignore[index]
    for number, recording in enumerate(recordings, 1):
        assert_is(transformed(settings, f"watch-{number}"), recording)
    result = verify(settings, report)
    assert result.ok, [*result.differences[:5], *result.unproved]
    assert not result.unproved


def test_a_csv_file_with_a_gap_arrives_with_the_gap(settings: Settings, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    time_s = np.concatenate([np.arange(300) / 100, 4 + np.arange(200) / 100])
    values = np.cumsum(rng.normal(0, 0.02, (len(time_s), 6)), axis=0)
    values[:, 2] += 9.80665
    lines = [
        ",".join(f"{value:.6f}" for value in (time, *row))
        for time, row in zip(1.7e9 + time_s, values, strict=True)
    ]
    file = tmp_path / "walk.csv"
    file.write_text("\n".join(["time,acc_x,acc_y,acc_z,gx_dps,gy_dps,gz_dps", *lines]))
    sent = replay(settings, tmp_path / "sent.json", str(file), "--sensor-prefix", "csv-", FAST)
    (recording,) = recordings_of(str(file), CsvForm(), 1)
    assert sent["sensors"]["sensor_id"] == ["csv-1"]  # type: ignore[index]
    assert sent["replay"]["missing_samples"] == [201]  # type: ignore[index]
    assert_is(transformed(settings, "csv-1"), recording)
    assert verify(settings, tmp_path / "sent.json").ok


def test_a_replay_keeps_the_pace_at_which_it_was_recorded(
    settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "still.csv"
    rows = [f"{row / 50},0,0,1,0,0,0" for row in range(151)]
    file.write_text("\n".join(["t_s,ax_g,ay_g,az_g,gx_dps,gy_dps,gz_dps", *rows]))
    arguments = (str(file), "--sensors", "2", "--sensor-prefix", "paced-")
    sent = replay(settings, tmp_path / "sent.json", *arguments)
    took_s = (sent["finished_us"] - sent["started_us"]) / 1e6  # type: ignore[operator]
    assert 3.0 <= took_s < 10.0
    found = transformed(settings, "paced-2")
    first_us = found["timestamp_us"][0].as_py()
    assert first_us - sent["started_us"] == 160_000  # type: ignore[operator]  # half a frame behind
    assert len(found) == 601
