"""What keeping metrics costs: a slot drains backlogs with and without them, in turn, in one run."""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import psutil

from cluster.bench.backlog_progress import DRAIN_TIMEOUT_S, LedgerFollower, end_offsets
from cluster.bench.drain import PIPELINE, DrainRun, Report, make_backlog, wait_until_paused
from cluster.local.settings_environment import child_environment
from cluster.setup.paths import ROOT
from pipelines.control import change_control, read_control
from pipelines.errors import UnavailableError
from pipelines.metric_kinds import FOLDER_VARIABLE
from pipelines.settings import Settings

_ORDER: Final = (True, False, False, True)
"""Whether each drain keeps metrics: so turned, a machine that slows down favours neither."""


class Drained(NamedTuple):
    """One drain: samples a second by the clock, and CPU time of the slot a frame."""

    samples_per_s: float
    cpu_us_per_frame: float


def measure_metrics_cost(
    settings: Settings, run: DrainRun, rounds: int, report: Report
) -> dict[str, Any]:
    """Pause every pipeline, drain ``4 x rounds`` backlogs in place of the first, let all go on.

    Raises:
        UnavailableError: the stack does not run, or a backlog did not drain.
    """
    control = read_control(settings.kafka).pipelines
    # The others would take the slot's CPU for what it makes.
    running = [name for name, record in control.items() if not record.paused or name == PIPELINE]
    for name in running:
        change_control(settings.kafka, name, paused=True)
    follower = LedgerFollower(settings)
    drains: dict[bool, list[Drained]] = {True: [], False: []}
    try:
        wait_until_paused(settings, PIPELINE, follower)
        generation = read_control(settings.kafka).pipelines[PIPELINE].generation
        for turn, kept in enumerate(_ORDER * rounds):
            report(f"drain {turn + 1} of {len(_ORDER) * rounds}")
            frames, _ = make_backlog(settings, run)
            drains[kept].append(_drain(settings, follower, generation, frames, kept=kept))
    finally:
        follower.close()
        for name in running:
            change_control(settings.kafka, name, paused=False)
    return costs(drains[True], drains[False])


def costs(kept: list[Drained], without: list[Drained]) -> dict[str, Any]:
    """Return the medians, and how much more of each a slot needs that keeps metrics."""
    figures: dict[str, Any] = {"drains_of_each": len(kept)}
    for name in Drained._fields:
        own = statistics.median(getattr(one, name) for one in kept)
        other = statistics.median(getattr(one, name) for one in without)
        figures[name] = {
            "with_metrics": round(own, 2),
            "without": round(other, 2),
            "ratio": round(own / other, 4),
        }
    return figures


def _drain(
    settings: Settings, follower: LedgerFollower, generation: int, frames: int, *, kept: bool
) -> Drained:
    ends = end_offsets(settings)
    with _slot(settings, generation, kept=kept) as process:
        deadline_s = time.monotonic() + DRAIN_TIMEOUT_S
        first: tuple[float, float, int] | None = None
        while time.monotonic() < deadline_s:
            if not follower.poll(0.05):
                continue
            now = time.monotonic(), sum(process.cpu_times()[:2]), follower.samples()
            # The first commit says that the slot has taken over: all that follows is work.
            first = first or now
            if all(follower.next_offset(p) >= end for p, end in ends.items()):
                seconds, cpu_s, samples = (b - a for a, b in zip(first, now, strict=True))
                return Drained(samples / seconds, cpu_s * 1e6 / frames)
    raise UnavailableError(
        f"a backlog did not drain in {DRAIN_TIMEOUT_S:g} s; see `imustream status`"
    )


@contextmanager
def _slot(settings: Settings, generation: int, *, kept: bool) -> Iterator[psutil.Process]:
    with tempfile.TemporaryDirectory(prefix="imustream-metrics-") as folder:
        environment = child_environment(settings, ROOT)
        environment |= {FOLDER_VARIABLE: folder} if kept else {}
        process = subprocess.Popen(
            [sys.executable, "-m", "cluster.bench.one_slot", str(generation)],
            env=environment,
            stdin=subprocess.PIPE,
        )
        try:
            yield psutil.Process(process.pid)
        finally:
            process.kill()
            process.wait()
