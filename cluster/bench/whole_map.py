"""The whole map under load: which pipelines keep up, what each costs, and that nothing is lost."""

import threading
import time
from typing import Any, NamedTuple

from cluster.bench.backlog_progress import LedgerFollower
from cluster.bench.latency import LatencyRun, Report, measure_latency
from pipelines import pipeline_lag
from pipelines.control import read_control
from pipelines.settings import Settings
from pipelines.sinks.sink_offsets import read_group_marks
from pipelines.topics import ARCHIVE, INPUT_OF, SINKS

_EVERY_S = 2.0
_POLL_S = 0.2
_SETTLED_SHARE = 0.3
"""This first part of the fleet's time is left out: pipelines start on what came before."""


class Look(NamedTuple):
    """How far the pipelines are at one moment: samples done, and offsets still to do."""

    at_s: float
    samples: dict[str, int]
    lag: dict[str, int]


class PipelineWatch:
    """Looks at every pipeline now and then, in a thread of its own, until :meth:`stop`."""

    def __init__(self, settings: Settings, pipelines: list[str]) -> None:
        self._settings = settings
        self._pipelines = pipelines
        self.looks: list[Look] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pipeline-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        followers = {
            pipeline: LedgerFollower(self._settings, pipeline)
            for pipeline in self._pipelines
            if pipeline in INPUT_OF
        }
        due_s = time.monotonic()
        while not self._stopping.is_set():
            for follower in followers.values():
                follower.poll(_POLL_S / len(followers))
            if time.monotonic() >= due_s:
                due_s = time.monotonic() + _EVERY_S
                self.looks.append(self._look(followers))
        for follower in followers.values():
            follower.close()

    def _look(self, followers: dict[str, LedgerFollower]) -> Look:
        lag, samples = {}, {}
        kafka = self._settings.kafka
        for pipeline in self._pipelines:
            places = pipeline_lag.inputs_of(pipeline)
            ends = sum(pipeline_lag.end_offsets(kafka, places).values())
            if pipeline in followers:
                samples[pipeline] = followers[pipeline].samples()
                lag[pipeline] = max(0, ends - followers[pipeline].offsets())
            else:
                marks = read_group_marks(kafka, pipeline, places)
                lag[pipeline] = max(0, ends - sum(mark.next_offset for mark in marks.values()))
        return Look(time.monotonic(), samples, lag)


def measure_map(
    settings: Settings, stack_id: str, run: LatencyRun, report: Report
) -> dict[str, Any]:
    """Run a fleet through every stage and return the figures; raises as `measure_latency`."""
    records = read_control(settings.kafka).pipelines
    pipelines = [name for name in (*INPUT_OF, *SINKS) if name in records]
    watch = PipelineWatch(settings, pipelines)
    began_s = time.monotonic()
    try:
        figures = measure_latency(settings, stack_id, run, report)
    finally:
        watch.stop()
    return {**figures, "pipelines": _rates(watch.looks, began_s, run, figures["samples_per_s"])}


def _rates(
    looks: list[Look], began_s: float, run: LatencyRun, offered_per_s: float
) -> dict[str, dict[str, float]]:
    """Return for each pipeline the samples/s while the fleet sent, and its lag at the end."""
    busy = [
        look for look in looks
        if began_s + _SETTLED_SHARE * run.seconds <= look.at_s <= began_s + run.seconds
    ]  # fmt: skip
    first, last = busy[0], busy[-1]
    rates: dict[str, dict[str, float]] = {}
    for pipeline in last.lag:
        rates[pipeline] = {"lag_records": last.lag[pipeline]}
        if pipeline in last.samples:
            done = last.samples[pipeline] - first.samples[pipeline]
            per_s = done / (last.at_s - first.at_s)
            rates[pipeline] |= {
                "samples_per_s": round(per_s),
                "share": round(min(1.0, per_s / offered_per_s), 3),
            }
    if ARCHIVE in rates:
        # It waits to write by design: its lag is a backlog only beyond `archive.max_staleness_s`.
        rates[ARCHIVE]["lag_records_before"] = first.lag[ARCHIVE]
    return rates
