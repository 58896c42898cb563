"""Metrics of processes that live and that have died, read from their files."""

import os
import subprocess
import sys
from pathlib import Path

from prometheus_client import CollectorRegistry

from cluster.monitoring.process_files import ProcessFiles
from pipelines import metrics
from pipelines.metric_kinds import FOLDER_VARIABLE

_BRIDGE = """
from pipelines import metrics
metrics.BRIDGE_RECEIVED.add(10)
metrics.BRIDGE_DELIVERED.add(7)
metrics.BRIDGE_IN_FLIGHT.set(3)
metrics.BRIDGE_CONNECTED.set(1)
"""
_SLOT = """
import numpy as np
from pipelines import metrics
metrics.SLOT_STARTS.add(1, "sensor-processing")
metrics.LATENCY_SECONDS.observe_all(np.array([0.001, 0.2, 70.0]), "transformed")
metrics.WATERMARK_SECONDS.set({at}, "sensor-processing", 3)
"""
_OTHER = """
import prometheus_client
prometheus_client.Counter("ray_something", "Not ours.").inc()
"""


def run(code: str, folder: Path | None) -> int:
    """Run a process of ours that ends at once; return its pid."""
    environment = {k: v for k, v in os.environ.items() if k != FOLDER_VARIABLE}
    if folder is not None:
        environment[FOLDER_VARIABLE] = str(folder)
    process = subprocess.Popen([sys.executable, "-c", code], env=environment)
    assert process.wait() == 0
    return process.pid


class Scraped:
    """What an exporter over ``folder`` serves, where only ``living`` processes live."""

    def __init__(self, folder: Path, living: set[int]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(ProcessFiles(folder, living.__contains__))

    def value(self, name: str, **labels: str) -> float | None:
        return self._registry.get_sample_value(name, labels)


def test_a_process_without_the_folder_keeps_nothing(tmp_path: Path) -> None:
    run(_BRIDGE, None)
    assert Scraped(tmp_path, set()).value(metrics.BRIDGE_RECEIVED.name) is None


def test_processes_count_together(tmp_path: Path) -> None:
    pids = {run(_SLOT.format(at=at), tmp_path) for at in (100, 90)}
    scraped = Scraped(tmp_path, pids)
    pipeline = {"pipeline": "sensor-processing"}
    assert scraped.value(metrics.SLOT_STARTS.name, **pipeline) == 2
    assert scraped.value(metrics.WATERMARK_SECONDS.name, **pipeline, partition="3") == 100
    latency = metrics.LATENCY_SECONDS.name
    assert scraped.value(f"{latency}_bucket", stage="transformed", le="0.005") == 2
    assert scraped.value(f"{latency}_bucket", stage="transformed", le="60.0") == 4
    assert scraped.value(f"{latency}_count", stage="transformed") == 6


def test_what_dead_processes_counted_stays_and_their_files_go(tmp_path: Path) -> None:
    pids = [run(_SLOT.format(at=at), tmp_path) for at in (100, 90, 80)]
    living = {pids[0]}
    scraped = Scraped(tmp_path, living)
    pipeline = {"pipeline": "sensor-processing"}
    latency = metrics.LATENCY_SECONDS.name
    for _ in range(2):
        assert scraped.value(metrics.SLOT_STARTS.name, **pipeline) == 3
        assert scraped.value(f"{latency}_count", stage="transformed") == 9
        living.clear()
    assert scraped.value(metrics.WATERMARK_SECONDS.name, **pipeline, partition="3") == 100
    # However often processes are started again, these are all that stays of them.
    assert {file.name for file in tmp_path.iterdir()} == {
        "counter_ended.db",
        "histogram_ended.db",
        "gauge_max_ended.db",
    }


def test_what_a_bridge_had_in_flight_when_it_died_is_returned(tmp_path: Path) -> None:
    living = {run(_BRIDGE, tmp_path)}
    scraped = Scraped(tmp_path, living)
    assert scraped.value(metrics.BRIDGE_IN_FLIGHT.name) == 3
    assert scraped.value(metrics.BRIDGE_CONNECTED.name) == 1
    assert scraped.value(metrics.BRIDGE_RETURNED.name) is None
    living.clear()
    living.add(run(_BRIDGE, tmp_path))
    assert scraped.value(metrics.BRIDGE_RECEIVED.name) == 20
    assert scraped.value(metrics.BRIDGE_DELIVERED.name) == 14
    assert scraped.value(metrics.BRIDGE_IN_FLIGHT.name) == 3
    assert scraped.value(metrics.BRIDGE_RETURNED.name) == 3


def test_metrics_of_others_in_the_folder_are_left_out(tmp_path: Path) -> None:
    scraped = Scraped(tmp_path, {run(_OTHER, tmp_path)})
    assert scraped.value("ray_something_total") is None


_ACCOUNTS = """
import numpy as np
from actors.bridge_loop import BridgeStatus
from actors.bridge_metrics import BridgeMetrics
told = BridgeMetrics()
told.tell(BridgeStatus(received=9, delivered=4, refused=1, in_flight=4, ready=True))
told.tell_now_and_then(BridgeStatus(received=10, delivered=4, refused=1, in_flight=5), 100.0)
told.tell_now_and_then(BridgeStatus(received=11, delivered=4, refused=1, in_flight=6), 100.9)
told.tell_now_and_then(BridgeStatus(received=20, delivered=13, refused=2, returned=3,
                                    in_flight=2, ready=True), 101.0)
"""


def test_the_accounts_of_a_bridge_are_told_at_one_moment_and_balance(tmp_path: Path) -> None:
    scraped = Scraped(tmp_path, {run(_ACCOUNTS, tmp_path)})
    kept = (
        metrics.BRIDGE_DELIVERED,
        metrics.BRIDGE_REFUSED,
        metrics.BRIDGE_RETURNED,
        metrics.BRIDGE_IN_FLIGHT,
    )
    accounts = [scraped.value(metric.name) for metric in kept]
    assert accounts == [13, 2, 3, 2]
    assert scraped.value(metrics.BRIDGE_RECEIVED.name) == 20
    assert scraped.value(metrics.BRIDGE_CONNECTED.name) == 1
