"""Many WebSocket clients at once: how fast, how late, and what each of them costs."""

import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq

from cluster.bench.backlog_progress import wait_until_drained
from cluster.bench.cpu import CpuMeter
from cluster.bench.latency import WARM_UP_S, LatencyRun, Report, percentiles, simulate
from cluster.bench.memory import memory_bytes
from pipelines.errors import UnavailableError
from pipelines.settings import Settings
from pipelines.verify.sensor_processing import PIPELINE
from serve.auth import new_token

_TOKEN_HOURS = 12.0
_CONNECT_S = 120.0
_LAST_S = 5.0
_EXIT_S = 60.0
_PARTS = ("live", "proxy")
_KB = 1_024


class LiveRun(NamedTuple):
    """What to measure; client ``n`` watches sensor ``n mod sensors``."""

    clients: int
    sensors: int
    rate_hz: float
    seconds: float


def measure_live(settings: Settings, stack_id: str, run: LiveRun, report: Report) -> dict[str, Any]:
    """Run a fleet and its watchers against a running stack and return the figures.

    Raises:
        UnavailableError: the stack does not run, or the clients cannot connect.
    """
    with tempfile.TemporaryDirectory(prefix="imustream-bench-") as folder:
        return asyncio.run(_measure(settings, stack_id, run, Path(folder), report))


async def _measure(
    settings: Settings, stack_id: str, run: LiveRun, folder: Path, report: Report
) -> dict[str, Any]:
    prefix = f"live{int(time.time())}-"
    empty = memory_bytes(stack_id)
    report(f"connecting {run.clients} clients")
    clients = await _connected(settings, run, prefix, folder / "arrivals.npz")
    try:
        idle = memory_bytes(stack_id)
        report(f"{run.sensors} sensors x {run.rate_hz:g} Hz for {run.seconds:g} s")
        cpu = CpuMeter(stack_id)
        began_s = time.monotonic()
        fleet = LatencyRun(run.sensors, run.rate_hz, run.seconds, run.clients)
        sent = await simulate(fleet, prefix, folder)
        elapsed_s = time.monotonic() - began_s
        cores = {part: round(s / elapsed_s, 3) for part, s in cpu.seconds().items()}
        busy = memory_bytes(stack_id)
        report("waiting until everything is processed")
        await asyncio.to_thread(wait_until_drained, settings, [PIPELINE])
        # What is committed is on its way to the clients.
        await asyncio.sleep(_LAST_S)
        assert clients.stdin is not None
        clients.stdin.close()
        out, _ = await asyncio.wait_for(clients.communicate(), _EXIT_S)
    finally:
        if clients.returncode is None:
            clients.kill()
    own = json.loads(out.decode().splitlines()[-1])
    times = _times(folder, prefix, run)
    messages = times.pop("messages")
    cpu_us = 1e6 * sum(cores.get(part, 0.0) for part in _PARTS) * elapsed_s / max(1, messages)
    return {
        "clients": run.clients,
        "sensors": run.sensors,
        "rate_hz": run.rate_hz,
        "samples_per_s": round(sent["samples"] / run.seconds),
        "messages": messages,
        "messages_per_s": round(messages / run.seconds),
        "mb_per_s": round(own["bytes"] / run.seconds / 1e6, 2),
        **times,
        "dropped": own["dropped"],
        "closed": own["closed"],
        "cpu_us_per_message": round(cpu_us, 1),
        "cores_per_1000_clients": {
            part: round(1_000 * cores.get(part, 0.0) / run.clients, 3) for part in _PARTS
        },
        "memory_kb_per_client": {
            "idle": _per_client(empty, idle, run.clients),
            "busy": _per_client(empty, busy, run.clients),
        },
        "cores": cores | {"simulator": round(sent["cpu_s"] / elapsed_s, 3)},
        "clients_themselves": {name: own[name] for name in ("cores", "memory_mb")},
    }


async def _connected(
    settings: Settings, run: LiveRun, prefix: str, arrivals: Path
) -> asyncio.subprocess.Process:
    """Start the clients' process and wait until all of them have their connection."""
    server = (settings.serve.host, settings.serve.port)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cluster.bench.live_clients"),
        *map(str, (*server, prefix, run.sensors, run.clients, arrivals)),
        env={**os.environ, "IMUSTREAM_TOKEN": new_token(settings, _TOKEN_HOURS)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), _CONNECT_S)
    except TimeoutError:
        process.kill()
        line = b""
    if line.strip() != b"connected":
        _, errors = await process.communicate()
        last = errors.decode(errors="replace").strip().splitlines()[-1:] or ["no answer in time"]
        raise UnavailableError(
            f"the WebSocket clients cannot connect ({last[0]}); see `imustream status`"
        )
    return process


def _times(folder: Path, prefix: str, run: LiveRun) -> dict[str, Any]:
    """Join each message with the frame that it begins with; the warm-up counts for no times.

    A message's time is that of its oldest frame.
    """
    sent = pq.read_table(folder / "sent.parquet")
    published = {
        (int(sensor.removeprefix(prefix)), number): at_us
        for sensor, number, at_us in zip(
            sent["sensor_id"].to_pylist(),
            sent["base_sample_number"].to_pylist(),
            sent["publish_us"].to_pylist(),
            strict=True,
        )
    }
    with np.load(folder / "arrivals.npz") as arrivals:
        client, sample, arrived_us = (arrivals[n] for n in ("client", "sample", "arrived_us"))
    sensor = 1 + client % run.sensors
    # What a full machine's fleet has not reported yet when it ends has no time: NaN is never later.
    keys = zip(sensor.tolist(), sample.tolist(), strict=True)
    at_us = np.array([published.get(key, np.nan) for key in keys])
    timed = at_us >= min(published.values()) + WARM_UP_S * 1e6
    # Who watches the same sensor must have been sent the same.
    got = np.bincount(client, minlength=run.clients)
    most = np.zeros(run.sensors, np.int64)
    np.maximum.at(most, np.arange(run.clients) % run.sensors, got)
    fewer = most[np.arange(run.clients) % run.sensors] - got
    return {
        "messages": len(client),
        "messages_without_time": int(np.isnan(at_us).sum()),
        **percentiles((arrived_us - at_us)[timed] / 1e3),
        "messages_fewer_than_others": int(fewer.sum()),
    }


def _per_client(before: dict[str, int], after: dict[str, int], clients: int) -> dict[str, float]:
    return {
        part: round((after.get(part, 0) - before.get(part, 0)) / clients / _KB, 1)
        for part in _PARTS
    }
