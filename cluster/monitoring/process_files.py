"""The files in which processes keep their metrics: read together, and few however many end.

A process of ours writes into files of its own (:mod:`pipelines.metric_kinds`) and may die at any
time. What it counted stays counted: the counts of dead processes are added up in one file of each
kind, and theirs are removed. The exporter must see the processes, as on one machine or in a pod
with ``shareProcessNamespace``: those that it does not see it takes for dead. Killed in the moment
between writing the one file and removing the others, it will have counted these twice.
"""

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import psutil
from prometheus_client.core import Metric
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from pipelines import metrics

_PREFIX: Final = "imustream_"
"""Ray's own programs keep theirs in the same way, and are asked for them themselves."""
_ENDED: Final = "ended"
_KEPT_KINDS: Final = ("counter", "histogram", "gauge_max")
_LIVE: Final = "gauge_live"

Values = dict[str, float]


class ProcessFiles(Collector):
    """Collects what all processes of a folder say."""

    def __init__(self, folder: Path, lives: Callable[[int], bool] = psutil.pid_exists) -> None:
        """Read from ``folder``, which is made; ``lives`` says whether a process does."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._lives = lives
        self._one_at_a_time = threading.Lock()

    def collect(self) -> Iterator[Metric]:
        """Yield our metrics; prometheus_client calls this at each scrape, in threads."""
        with self._one_at_a_time:
            self._take_over_dead()
            files = [str(file) for file in self._folder.glob("*.db") if file.stat().st_size]
            merged: Iterable[Metric] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
        for metric in merged:
            if metric.name.startswith(_PREFIX):
                yield metric

    def _take_over_dead(self) -> None:
        dead = [file for file in self._folder.glob("*.db") if self._is_dead(file)]
        if not dead:
            return
        returned = _in_flight(dead)
        for kind in _KEPT_KINDS:
            files = [file for file in dead if file.name.startswith(f"{kind}_")]
            added = returned if kind == "counter" else {}
            if files or added:
                self._put_together(kind, files, added)
        for file in dead:
            file.unlink()

    def _is_dead(self, file: Path) -> bool:
        pid = file.stem.rpartition("_")[2]
        return pid.isdigit() and not self._lives(int(pid))

    def _put_together(self, kind: str, files: Iterable[Path], added: Values) -> None:
        together = self._folder / f"{kind}_{_ENDED}.db"
        values: Values = dict(added)
        for file in (*files, *([together] if together.is_file() else [])):
            for key, value in read_values(file):
                if kind == "gauge_max":
                    values[key] = max(value, values.get(key, value))
                else:
                    values[key] = values.get(key, 0.0) + value
        partial = together.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        written = MmapedDict(str(partial))  # type: ignore[no-untyped-call]
        for key, value in values.items():
            written.write_value(key, value, 0.0)  # type: ignore[no-untyped-call]
        written.close()  # type: ignore[no-untyped-call]
        partial.replace(together)


def read_values(file: Path) -> Iterator[tuple[str, float]]:
    """Yield the keys and values of a process's file; nothing of one that has just been made."""
    if not file.stat().st_size:
        return
    found: Any = MmapedDict.read_all_values_from_file(str(file))  # type: ignore[no-untyped-call]
    for key, value, _, _ in found:
        yield key, value


def _in_flight(dead: Iterable[Path]) -> Values:
    """Return what bridges that died had in flight as returned: their broker delivers it again."""
    count = sum(
        value
        for file in dead
        if file.name.startswith(_LIVE)
        for key, value in read_values(file)
        if json.loads(key)[1] == metrics.BRIDGE_IN_FLIGHT.name
    )
    returned = metrics.BRIDGE_RETURNED
    name = returned.name
    key = mmap_key(name.removesuffix("_total"), name, [], [], returned.help)
    return {key: count} if count else {}
