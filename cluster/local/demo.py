"""The demo's fleet, and what of it went through each stage."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from cluster.bench.latency import LatencyRun, Report, measure_latency
from cluster.local.processes import MARK
from cluster.local.stack import Stack
from pipelines import topics
from pipelines.changelog import read_changelog
from pipelines.errors import UnavailableError
from pipelines.settings import KafkaSettings

SENSORS = 20
_END_WAIT_S = 20.0


class Stage(NamedTuple):
    """One row of what the demo prints; None where there is nothing to say.

    ``lost`` counts samples, in processing dead letters and windows too.
    """

    name: str
    frames: int | None
    samples: int | None
    lost: int
    p50_ms: float | None
    p99_ms: float | None


class Outcome(NamedTuple):
    """What a demo of fixed length came to."""

    stages: list[Stage]
    lost: int
    doubled: int


@contextmanager
def running_fleet(stack: Stack) -> Iterator[subprocess.Popen[bytes]]:
    """Simulated sensors that publish until the block ends."""
    record = stack.folder.record()
    if record is None:
        raise UnavailableError("the local stack is not up: start it with `imustream up`")
    log = stack.supervision.log_of("simulator")
    with log.open("wb") as output:
        fleet = subprocess.Popen(
            [sys.executable, "-m", "cluster.cli", "simulate", "--sensors", str(SENSORS)],
            env={**os.environ, MARK: record.stack_id},
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C reaches it through us, once
        )
    try:
        yield fleet
    finally:
        fleet.terminate()
        try:
            fleet.wait(_END_WAIT_S)
        except subprocess.TimeoutExpired:
            fleet.kill()
            fleet.wait()


def measured_demo(stack: Stack, seconds: float, report: Report) -> Outcome:
    """Run the fleet for some seconds, let everything drain, and count what went through.

    Raises:
        UnavailableError: a part of the stack does not answer.
    """
    record = stack.folder.record()
    if record is None:
        raise UnavailableError("the local stack is not up: start it with `imustream up`")
    settings = stack.settings
    before = ledger_counts(settings.kafka)
    rate_hz = settings.processing.sample_rate_hz
    run = LatencyRun(sensors=SENSORS, rate_hz=rate_hz, seconds=seconds, watched=SENSORS)
    figures = measure_latency(settings, record.stack_id, run, report)
    counts = ledger_counts(settings.kafka) - before
    return Outcome(_stages(figures, counts), figures["lost"], figures["doubled"])


def ledger_counts(kafka: KafkaSettings) -> Counter[str]:
    """What sensor_processing has counted since the beginning, over all partitions."""
    total: Counter[str] = Counter()
    changelog = topics.SENSOR_PROCESSING_CHANGELOG
    for found in read_changelog(kafka, changelog, list(range(topics.PARTITIONS))).values():
        if found.ledger is not None:
            total.update(found.ledger.counts)
    return total


def _stages(figures: dict[str, Any], counts: Counter[str]) -> list[Stage]:
    times, lost = figures["stages"], figures["lost_by_stage"]
    frames, samples = counts["frames"], counts["samples"]
    done, done_samples = counts["transformed"], counts["samples_transformed"]
    shown = done - figures["frames_missed_by_clients"]
    shown_samples = done_samples - figures["samples_missed_by_clients"]
    rows = [
        ("Mosquitto, bridge", frames, samples, "mosquitto_to_bridge"),
        ("Kafka, sensor_processing", done, done_samples, "kafka_and_slot"),
        ("commit, live, WebSocket", shown, shown_samples, "commit_and_live"),
    ]
    return [
        *(Stage(name, f, s, lost[stage], *_times(times[stage])) for name, f, s, stage in rows),
        Stage("models, sessions, MongoDB, archive", None, None, lost["later_stages"], None, None),
        Stage("publish to WebSocket", shown, shown_samples, figures["lost"], *_times(figures)),
    ]


def _times(figures: dict[str, Any]) -> tuple[float, float]:
    return figures["p50_ms"], figures["p99_ms"]
