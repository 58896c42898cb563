"""What a load costs, part by part: cores, memory, and bytes moved and kept, for each sample.

These are the figures that ``SCALING.md`` multiplies; :mod:`cluster.bench.capacity` does that.
"""

import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from cluster.bench.backlog_progress import wait_until_archived, wait_until_drained
from cluster.bench.cpu import CpuMeter
from cluster.bench.latency import LatencyRun, Report, simulate
from cluster.bench.memory import memory_bytes
from cluster.bench.proof import proof
from cluster.bench.stored_bytes import archive_bytes, growth, topic_bytes
from pipelines.control import read_control
from pipelines.errors import ConfigurationError
from pipelines.settings import Settings
from pipelines.topics import ARCHIVE

PER_SAMPLES_PER_S = 100_000


class SizingRun(NamedTuple):
    """The load to measure."""

    sensors: int
    rate_hz: float
    seconds: float


def measure_sizing(
    settings: Settings, stack_id: str, run: SizingRun, report: Report
) -> dict[str, Any]:
    """Run a fleet against the running stack and return what it cost.

    Returns:
        ``cores`` for each 100,000 samples/s, by part, while the fleet sent; ``memory_mb`` that the
        parts hold, whatever the rate; ``kafka_bytes`` and ``archive_bytes`` for each sample, by
        topic, replicas included; ``lost`` and ``doubled``, proved.

    Raises:
        ConfigurationError: the archive is not in a folder.
        UnavailableError: the stack does not run, or the fleet could not publish.
    """
    archive = urlsplit(settings.archive.url)
    if archive.scheme != "file":
        raise ConfigurationError(
            f"archive.url is {settings.archive.url}: sizing weighs the files of a folder; "
            "start the stack with a file:// address"
        )
    folder = Path(archive.netloc + archive.path)
    topics_before, archive_before = topic_bytes(settings.local.state_dir), archive_bytes(folder)
    with tempfile.TemporaryDirectory(prefix="imustream-bench-") as temporary:
        report(f"{run.sensors} sensors x {run.rate_hz:g} Hz for {run.seconds:g} s")
        cpu = CpuMeter(stack_id)
        began_s = time.monotonic()
        sent = asyncio.run(simulate(_fleet(run), f"size{int(time.time())}-", Path(temporary)))
        elapsed_s = time.monotonic() - began_s
        spent_s = {**cpu.seconds(), "simulator": sent["cpu_s"]}
        memory = memory_bytes(stack_id)
        report("waiting until everything is processed and archived")
        wait_until_drained(settings)
        if ARCHIVE in read_control(settings.kafka).pipelines:
            wait_until_archived(settings)
        stored = growth(topics_before, topic_bytes(settings.local.state_dir))
        archived = growth(archive_before, archive_bytes(folder))
        report("proving that nothing is lost or doubled")
        proved = proof(settings, Path(temporary) / "report.json")
    samples = sent["samples"]
    factor = PER_SAMPLES_PER_S / (samples / elapsed_s)
    return {
        "samples_per_s": round(samples / elapsed_s),
        "brokers": settings.local.brokers,
        "cores": {part: round(s / elapsed_s * factor, 3) for part, s in spent_s.items()},
        "memory_mb": {part: round(held / 1e6) for part, held in sorted(memory.items())},
        "kafka_bytes": {topic: round(held / samples, 2) for topic, held in stored.items()},
        "archive_bytes": {topic: round(held / samples, 2) for topic, held in archived.items()},
        "lost": proved.lost,
        "doubled": proved.doubled,
    }


def _fleet(run: SizingRun) -> LatencyRun:
    return LatencyRun(run.sensors, run.rate_hz, run.seconds, watched=0)


def read_sizing(file: Path) -> dict[str, Any]:
    """Return what :func:`measure_sizing` returned, from a file of it in JSON.

    Raises:
        ConfigurationError: the file cannot be read, or holds something else.
    """
    advice = "make it with `imustream bench sizing --json`"
    try:
        figures = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{file} cannot be read ({error}); {advice}") from None
    if not isinstance(figures, dict) or not {"cores", "brokers"} <= figures.keys():
        raise ConfigurationError(f"{file} holds no figures of sizing; {advice}")
    return figures
