"""From a sensor's publish to a WebSocket client: how long, where, and whether all arrives."""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cluster.bench.backlog_progress import IN_ORDER, wait_until_drained
from cluster.bench.cpu import CpuMeter
from cluster.bench.proof import proof
from cluster.bench.record_times import produced_us, received_us
from cluster.bench.watchers import Arrival, Watchers
from pipelines import topics
from pipelines.errors import UnavailableError
from pipelines.settings import Settings
from pipelines.verify import STAGES

WARM_UP_S = 5.0
_CONNECT_S = 30.0
_LAST_ARRIVALS_S = 5.0
_EXIT_S = 60.0

Report = Callable[[str], None]


class LatencyRun(NamedTuple):
    """What to measure; the first `WARM_UP_S` of ``seconds`` are left out of the figures."""

    sensors: int
    rate_hz: float
    seconds: float
    watched: int


def measure_latency(
    settings: Settings,
    stack_id: str,
    run: LatencyRun,
    report: Report,
    stages: Sequence[str] = STAGES,
) -> dict[str, Any]:
    """Run a fleet against a running stack and return the figures; ``stages`` are proved.

    Raises:
        UnavailableError: the stack does not run, or the fleet could not publish.
    """
    with tempfile.TemporaryDirectory(prefix="imustream-bench-") as folder:
        return asyncio.run(_measure(settings, stack_id, run, Path(folder), report, stages))


async def _measure(
    settings: Settings,
    stack_id: str,
    run: LatencyRun,
    folder: Path,
    report: Report,
    stages: Sequence[str],
) -> dict[str, Any]:
    prefix = f"bench{int(time.time())}-"
    step = max(1, run.sensors // run.watched)
    watched = [f"{prefix}{1 + step * i}" for i in range(min(run.watched, run.sensors))]
    watchers = Watchers(settings, watched)
    watching = asyncio.create_task(watchers.watch())
    report(f"connecting {len(watched)} clients")
    await _connected(watchers, watching)
    report(f"{run.sensors} sensors x {run.rate_hz:g} Hz for {run.seconds:g} s")
    cpu = CpuMeter(stack_id)
    started_s = time.monotonic()
    sent = await simulate(run, prefix, folder)
    elapsed_s = time.monotonic() - started_s
    cores = {part: round(s / elapsed_s, 3) for part, s in cpu.seconds().items()}
    cores["simulator"] = round(sent["cpu_s"] / elapsed_s, 3)
    report("waiting until everything is processed")
    await asyncio.to_thread(wait_until_drained, settings, [s for s in IN_ORDER if s in stages])
    log = pq.read_table(folder / "sent.parquet")
    mine = log.filter(pc.is_in(log["sensor_id"], value_set=pc.cast(watched, log["sensor_id"].type)))
    await _all_arrived(watchers, len(mine))
    watching.cancel()
    report("proving that nothing is lost or doubled")
    proved = await asyncio.to_thread(proof, settings, folder / "report.json", stages)
    figures = await asyncio.to_thread(_figures, settings, mine, watchers.arrivals)
    lost = {
        "mosquitto_to_bridge": proved.lost_before_kafka,
        "kafka_and_slot": proved.lost_in_processing,
        "commit_and_live": figures["samples_missed_by_clients"],
        "later_stages": sum(row.lost for row in proved.stages),
    }
    return {
        **figures,
        "samples_per_s": round(sent["samples"] / run.seconds),
        "lost": sum(lost.values()),
        "lost_by_stage": lost,
        "doubled": proved.doubled,
        "sensors": run.sensors,
        "rate_hz": run.rate_hz,
        "watched": len(watched),
        "dropped_by_live": sum(watchers.dropped.values()),
        "cores": cores,
    }


async def _connected(watchers: Watchers, watching: "asyncio.Task[None]") -> None:
    deadline = time.monotonic() + _CONNECT_S
    while not watchers.connected:
        if watching.done() or time.monotonic() > deadline:
            cause = watching.exception() if watching.done() else "no answer"
            raise UnavailableError(
                f"the WebSocket clients cannot connect ({cause}); see `imustream status`"
            )
        await asyncio.sleep(0.05)


async def simulate(run: LatencyRun, prefix: str, folder: Path) -> dict[str, Any]:
    """Run the fleet in a process of its own; return its samples and CPU seconds.

    ``folder`` gets `sent.parquet`, when each frame was published, and `report.json`.
    """
    arguments = [
        *("--sensors", run.sensors, "--rate", run.rate_hz, "--seconds", run.seconds),
        *("--sensor-prefix", prefix, "--report", folder / "report.json"),
        *("--sent-log", folder / "sent.parquet", "--json"),
    ]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _TIMED, "simulate", *map(str, arguments)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await asyncio.wait_for(process.communicate(), run.seconds + _EXIT_S)
    if process.returncode != 0:
        last = errors.decode(errors="replace").strip().splitlines()[-1:]
        raise UnavailableError(f"the fleet could not publish: {' '.join(last)}")
    expected = json.loads((folder / "report.json").read_text())["expected"]
    return {
        "samples": expected["samples_transformed"],
        "cpu_s": float(out.decode().strip().splitlines()[-1]),
    }


_TIMED = """
import atexit, resource
def spent():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(usage.ru_utime + usage.ru_stime)
atexit.register(spent)
from cluster.cli import main
main()
"""
"""Runs the command line and prints last how many CPU seconds it took."""


async def _all_arrived(watchers: Watchers, frames: int) -> None:
    """Wait until as many frames arrived as were sent, or no more do."""
    deadline = time.monotonic() + _LAST_ARRIVALS_S
    while len(watchers.arrivals) < frames and time.monotonic() < deadline:
        await asyncio.sleep(0.05)


def _figures(settings: Settings, sent: Any, arrivals: Sequence[Arrival]) -> dict[str, Any]:
    """Join what was sent with what arrived; the warm-up counts for losses, not for times."""
    first = {(a.sensor_id, a.sample_index): a for a in reversed(arrivals)}
    keys = list(
        zip(sent["sensor_id"].to_pylist(), sent["base_sample_number"].to_pylist(), strict=True)
    )
    missed = [
        samples
        for key, samples in zip(keys, sent["num_samples"].to_pylist(), strict=True)
        if key not in first
    ]
    published = dict(zip(keys, sent["publish_us"].to_pylist(), strict=True))
    begin_us = min(published.values()) + WARM_UP_S * 1e6
    timed = [k for k in keys if k in first and published[k] >= begin_us]
    raw = received_us(
        settings.kafka, topics.RAW, {(first[k].partition, first[k].raw_offset) for k in timed}
    )
    made = produced_us(
        settings.kafka, topics.TRANSFORMED, {(first[k].partition, first[k].offset) for k in timed}
    )
    at = np.array(
        [
            (
                published[k],
                raw[first[k].partition, first[k].raw_offset],
                made[first[k].partition, first[k].offset],
                first[k].arrived_us,
            )
            for k in timed
        ],
        np.float64,
    )
    return {
        **percentiles((at[:, 3] - at[:, 0]) / 1e3),
        "stages": {
            "mosquitto_to_bridge": percentiles((at[:, 1] - at[:, 0]) / 1e3),
            "kafka_and_slot": percentiles((at[:, 2] - at[:, 1]) / 1e3),
            "commit_and_live": percentiles((at[:, 3] - at[:, 2]) / 1e3),
        },
        "frames_timed": len(timed),
        "frames_missed_by_clients": len(missed),
        "samples_missed_by_clients": sum(missed),
    }


def percentiles(ms: npt.NDArray[np.float64]) -> dict[str, float]:
    """Return median, 99th percentile and maximum of times in milliseconds."""
    return {
        "p50_ms": round(float(np.percentile(ms, 50)), 1),
        "p99_ms": round(float(np.percentile(ms, 99)), 1),
        "max_ms": round(float(ms.max()), 1),
    }
