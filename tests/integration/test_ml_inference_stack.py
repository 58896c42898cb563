"""ml_inference on the whole stack: a promotion and a dead replica while a fleet publishes."""

from pathlib import Path

import psutil
import pyarrow as pa

from cluster.bench.backlog_progress import wait_until_drained
from cluster.chaos.load import load
from cluster.local.stack import Stack
from pipelines import topics
from pipelines.models.promotion import promote
from pipelines.models.store import open_store
from pipelines.predictions import model_of
from pipelines.verify.predictions import verify_predictions
from tests.integration.topic_reader import read_topic, wait_until
from tests.small_model import small_model_files

REPLICA = "ray::ServeReplica:inference:Model"


def _versions(stack: Stack) -> list[str]:
    """The versions that made the predictions there are."""
    found = set()
    for message in read_topic(stack.settings.kafka.bootstrap_servers, topics.PREDICTIONS):
        value = message.value() or b""
        if value[:1] != b"{":
            found.add(model_of(pa.ipc.open_stream(value).schema.metadata).version)
    return sorted(found)


def _replicas(stack: Stack) -> list[psutil.Process]:
    processes = [psutil.Process(pid) for pid in stack.all_pids() if psutil.pid_exists(pid)]
    return [p for p in processes if REPLICA in " ".join(p.cmdline())]


def test_a_promotion_and_a_dead_replica_under_load_lose_and_mix_nothing(
    stack: Stack, tmp_path: Path
) -> None:
    settings, store = stack.settings, open_store(stack.settings)
    shipped = store.channels("velocity").stable
    assert shipped is not None
    with load(stack, "promoted", tmp_path) as fleet:
        wait_until("the shipped model predicts", lambda: _versions(stack) == [shipped])
        store.push("velocity", "77", small_model_files(version="77", velocity_bias=3.0))
        promote(store, "velocity", "77", "stable")
        wait_until("the new model predicts", lambda: "77" in _versions(stack))
        for process in _replicas(stack):
            process.kill()
        assert fleet.running
        result = fleet.prove()
    assert result.ok, result.differences
    wait_until_drained(settings)
    rows = verify_predictions(settings, lambda partition, done, total: None)
    for row in rows:
        assert (row.lost, row.doubled, row.wrong) == (0, 0, 0), row.differences
    assert sum(row.checked["values"] for row in rows) > 10_000
    assert sum(row.checked["velocity_windows"] for row in rows) > 100
    assert _versions(stack) == sorted([shipped, "77"])
    promote(store, "velocity", shipped, "stable")
