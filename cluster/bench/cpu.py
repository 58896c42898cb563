"""How much CPU time each part of the local stack takes."""

import contextlib
from collections import defaultdict
from collections.abc import Mapping

import psutil

from cluster.local.processes import marked_processes

# The first that stands in a process's command line names its part.
_PARTS: tuple[tuple[str, str], ...] = (
    ("ray::Bridge", "bridge"),
    ("ray::Processor-sensor-processing", "slots"),
    ("ray::Processor-session-aggregation", "session-aggregation"),
    ("ray::Processor-ml-inference", "ml-inference"),
    ("ray::Processor-session-writer", "session-writer"),
    ("ray::Processor-archive", "archive"),
    ("ray::ServeReplica:inference", "models"),
    ("ray::Supervisor", "supervisor"),
    ("cluster.monitoring.exporter", "exporter"),
    ("/prometheus ", "prometheus"),
    ("live", "live"),
    ("ray::ServeReplica", "api"),
    ("haproxy", "proxy"),
    ("ray::Proxy", "proxy"),
    ("ray::", "ray"),
    ("mosquitto", "mosquitto"),
    ("kafka", "kafka"),
    ("documentdb", "documentdb"),
    ("versitygw", "s3"),
    ("raylet", "ray"),
    ("gcs_server", "ray"),
    ("ray", "ray"),
)


class CpuMeter:
    """The CPU seconds that the parts of a stack have taken since the meter was made."""

    def __init__(self, stack_id: str) -> None:
        self._stack_id = stack_id
        self._before = self._read()

    def seconds(self) -> dict[str, float]:
        """Return CPU seconds by part; what a process took that has ended since is missing."""
        spent: defaultdict[str, float] = defaultdict(float)
        for (_, part), now_s in self._read().items():
            spent[part] += now_s
        for (pid, part), before_s in self._before.items():
            if psutil.pid_exists(pid):
                spent[part] -= before_s
        return {part: round(s, 3) for part, s in sorted(spent.items()) if s >= 0.01}

    def _read(self) -> Mapping[tuple[int, str], float]:
        found: dict[tuple[int, str], float] = {}
        for process in marked_processes(self._stack_id):
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                found[(process.pid, part_of(process))] = times.user + times.system
        return found


def part_of(process: psutil.Process) -> str:
    """Return which part of the stack a process belongs to."""
    command = " ".join(process.cmdline())
    return next((part for word, part in _PARTS if word in command), "other")
