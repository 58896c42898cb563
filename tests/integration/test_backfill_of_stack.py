"""The whole way: devices, bridge, pipelines, archive, backfill; and the topics say the same."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cluster.local.ray_head import ray_environment
from cluster.local.settings_environment import child_environment
from cluster.local.stack import Stack
from cluster.setup.paths import ROOT
from pipelines import topics
from pipelines.archive.object_store import open_store
from pipelines.archive.schemas import SCHEMAS
from pipelines.backfill.plan import ranges_by_partition
from pipelines.backfill.raw_archive import raw_files
from pipelines.partitioner import partition_of
from simulator.fleet import run
from simulator.options import FleetOptions
from tests.integration.topic_reader import read_topic, wait_until

FLEET = FleetOptions(
    sensors=20,
    seconds=12,
    seed=3,
    duplicates=0.02,
    lost=0.02,
    bad_crc=0.02,
    cut=0.02,
    reorder=0.02,
    heartbeats=0.02,
    reboot=0.3,
    silence=0.3,
    future_clock=0.1,
)
TIMEOUT_S = 180


@pytest.fixture(scope="module")
def archived_stack(stack: Stack) -> Stack:
    """The stack, once a fleet with every fault is archived."""
    run(FLEET, stack.settings.mqtt, None, lambda: False)
    frames = raw_ends(stack)
    wait_until(
        "the fleet's records in the archive",
        lambda: all(end >= frames[partition] for partition, end in archived(stack).items()),
    )
    return stack


def raw_ends(stack: Stack) -> dict[int, int]:
    """One past the last record of each partition, once ticks came behind the fleet's frames."""
    wait_until("a tick behind the last frame", lambda: all(last_are_ticks(stack).values()))
    return {
        message.partition(): message.offset() + 1
        for message in read_topic(stack.settings.kafka.bootstrap_servers, topics.RAW)
    }


def last_are_ticks(stack: Stack) -> dict[int, bool]:
    last = dict.fromkeys(range(topics.PARTITIONS), False)
    ticks = dict.fromkeys(last, 0)
    for message in read_topic(stack.settings.kafka.bootstrap_servers, topics.RAW):
        partition = message.partition()
        ticks[partition] = ticks[partition] + 1 if message.key() is None else 0
        last[partition] = ticks[partition] >= 3
    return last


def archived(stack: Stack) -> dict[int, int]:
    """Up to where each partition of imu-data-all is archived."""
    ends = dict.fromkeys(range(topics.PARTITIONS), 0)
    for partition, ranges in ranges_by_partition(raw_files(open_store(stack.settings))).items():
        ends[partition] = ranges[-1].end
    return ends


def backfill(stack: Stack, target: Path) -> dict[str, Any]:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pipelines.backfill", "--json"),
            *("--target", f"file://{target}"),
            *("--pipelines", "ml-inference,session-aggregation"),
        ],
        env={
            **child_environment(stack.settings, ROOT),
            **ray_environment(),
            **{name: os.environ[name] for name in ("HOME", "PATH")},
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def filled(target: Path, topic: str) -> list[dict[str, Any]]:
    """Rows of a backfill without their offsets, which name records of imu-data-all."""
    files = sorted((target / topic).rglob("*.parquet"))
    table = pa.concat_tables([SCHEMAS[topic].empty_table(), *map(pq.read_table, files)])
    return table.drop_columns(["offset"]).to_pylist()


def ends_of(target: Path) -> dict[int, int]:
    plan = json.loads((target / "_backfill" / "plan.json").read_bytes())
    return {one["partition"]: one["end"] for one in plan["partitions"]}


def test_a_backfill_of_the_archive_holds_what_the_topics_hold(
    archived_stack: Stack, tmp_path: Path
) -> None:
    result = backfill(archived_stack, tmp_path)
    assert result["whole"]
    ends = ends_of(tmp_path)
    servers = archived_stack.settings.kafka.bootstrap_servers
    predicted = filled(tmp_path, topics.PREDICTIONS)
    wait_until("predictions of all samples", lambda: same_predictions(predicted, servers))
    live = {
        topic: [m for m in read_topic(servers, topic) if not is_tick(m)]
        for topic in (topics.TRANSFORMED, topics.AGGREGATED, topics.SESSIONS, topics.DEAD_LETTERS)
    }
    windows = [json.loads(message.value()) for message in live[topics.AGGREGATED]]
    same_samples(tmp_path, live[topics.TRANSFORMED], ends)
    same_motion_windows(tmp_path, windows, ends)
    same_velocity_windows(tmp_path, windows)
    same_letters(tmp_path, live[topics.DEAD_LETTERS])
    same_sessions(tmp_path, live[topics.SESSIONS])


def is_tick(message: Any) -> bool:
    return (topics.CONTENT_TYPE, topics.TICK_TYPE.encode()) in (message.headers() or [])


def same_samples(target: Path, live: list[Any], ends: dict[int, int]) -> None:
    expected: list[dict[str, Any]] = []
    for message in live:
        rows = pa.ipc.open_stream(message.value()).read_all().to_pylist()
        expected += [row for row in rows if row["raw_offset"] < ends[message.partition()]]
    found = filled(target, topics.TRANSFORMED)
    assert len(found) == len(expected) > 25_000
    key = ("sensor_id", "boot", "sample_index")
    assert by(found, *key) == by(expected, *key)


def same_motion_windows(target: Path, live: list[dict[str, Any]], ends: dict[int, int]) -> None:
    expected = []
    for window in live:
        partition = partition_of(window["sensor_id"])
        if window["kind"] == "motion" and window["through_offset"] <= ends[partition]:
            parts = {name: window[name] for name in ("acc_mag", "gyro_mag")}
            flat = {f"{of}_{name}": v for of, part in parts.items() for name, v in part.items()}
            rest = {name: value for name, value in window.items() if name not in parts}
            expected.append({**rest, **flat})
    found = [
        {name: value for name, value in row.items() if value is not None}
        for row in filled(target, topics.AGGREGATED)
        if row["kind"] == "motion"
    ]
    assert len(expected) > 50
    key = ("sensor_id", "boot", "start_us", "through_offset")
    assert by(found, *key) == by(expected, *key)


def same_velocity_windows(target: Path, live: list[dict[str, Any]]) -> None:
    """Ticks close windows behind what is archived, so the topic may hold some more."""
    expected = {window_key(window): window for window in live if window["kind"] == "velocity"}
    found = [row for row in filled(target, topics.AGGREGATED) if row["kind"] == "velocity"]
    assert len(found) > 50
    for row in found:
        window = expected[window_key(row)]
        for name in ("end_us", "samples", "closed_by", "resets", "skipped"):
            assert row[name] == window[name]
        for name in ("velocity_max", "distance_m", "moving_share"):
            assert row[name] == pytest.approx(window[name], abs=1e-4)
        assert row["model_sha256"] == window["model"]["sha256"]


def window_key(window: dict[str, Any]) -> tuple[str, int, int, int]:
    return window["sensor_id"], window["boot"], window["start_us"], window["first_sample"]


def same_predictions(found: list[dict[str, Any]], servers: str) -> bool:
    """Compare predictions with those in the topic; False while some are still to come."""
    live: dict[tuple[str, int, int], dict[str, Any]] = {}
    for message in read_topic(servers, topics.PREDICTIONS):
        if not is_tick(message):
            rows = pa.ipc.open_stream(message.value()).read_all().to_pylist()
            live.update({sample_key(row): row for row in rows})
    if not all(sample_key(row) in live for row in found):
        return False
    assert len(found) > 25_000
    for row in found:
        told = live[sample_key(row)]
        assert row["velocity"] == pytest.approx(told["velocity"], abs=1e-4)
        assert row["moving_probability"] == pytest.approx(told["moving_probability"], abs=1e-4)
    return True


def sample_key(row: dict[str, Any]) -> tuple[str, int, int]:
    return row["sensor_id"], row["boot"], row["sample_index"]


def same_letters(target: Path, live: list[Any]) -> None:
    expected = []
    for message in live:
        headers = {name.replace("-", "_"): value.decode() for name, value in message.headers()}
        failed_us = int(headers["failed_us"])
        said = [headers[name] for name in ("source", "byte_range", "reason", "detail")]
        expected.append((message.key().decode(), *said, failed_us, message.value()))
    names = ("sensor_id", "source", "byte_range", "reason", "detail", "failed_us", "value")
    found = [tuple(row[name] for name in names) for row in filled(target, topics.DEAD_LETTERS)]
    assert len(expected) > 10
    assert sorted(found) == sorted(expected)


def same_sessions(target: Path, live: list[Any]) -> None:
    """What else they tell depends on when velocity windows came, which the topic alone knows."""
    expected = [json.loads(message.value()) for message in live]
    found = filled(target, topics.SESSIONS)
    facts = ("session_id", "sensor_id", "start_us", "first_boot")
    started, told = (
        {tuple(event[name] for name in facts) for event in events if event["event"] == "started"}
        for events in (found, expected)
    )
    assert started == told
    assert max(event["velocity_windows"] for event in found) > 0


def by(rows: list[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: tuple(row[name] for name in names))
