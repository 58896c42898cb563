"""A fleet that publishes with faults in a process of its own, and what must have come of it."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from cluster.bench.backlog_progress import wait_until_drained
from cluster.local.processes import marked_processes
from cluster.local.settings_environment import child_environment
from cluster.local.stack import Stack
from cluster.setup.paths import ROOT
from pipelines.verify import verify

_FAULTS = (
    *("--duplicates", "0.02", "--lost", "0.01", "--bad-crc", "0.01", "--cut", "0.01"),
    *("--reorder", "0.01", "--heartbeats", "0.01", "--reboot", "0.1"),
    *("--clock-offset", "2", "--clock-drift-ppm", "200", "--future-clock", "0.03"),
)
_FINISH_S = 120.0


class Load:
    """A running fleet; `prove` waits for its end and proves what came of it."""

    def __init__(self, stack: Stack, process: "subprocess.Popen[bytes]", report: Path) -> None:
        self._stack = stack
        self._process = process
        self._report = report

    @property
    def running(self) -> bool:
        """Whether the fleet still publishes."""
        return self._process.poll() is None

    def prove(self) -> None:
        """Wait until all is published and processed; then nothing is lost and nothing doubled."""
        assert self._process.wait(_FINISH_S) == 0, "the fleet could not publish everything"
        wait_until_drained(self._stack.settings)
        result = verify(self._stack.settings, self._report)
        assert result.ok, result.differences[:5]
        assert (result.lost, result.doubled) == (0, 0)


@contextmanager
def load(stack: Stack, name: str, seconds: float, folder: Path) -> Iterator[Load]:
    """Run 60 sensors with every kind of fault for ``seconds``."""
    report = folder / f"{name}.json"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "cluster.cli", "simulate", "--sensors", "60"),
            *("--seconds", str(seconds), "--sensor-prefix", f"{name}-", "--report", str(report)),
            *_FAULTS,
        ],
        env=child_environment(stack.settings, ROOT),
        stdout=subprocess.DEVNULL,
    )
    try:
        yield Load(stack, process, report)
    finally:
        process.kill()
        process.wait()


def actor_processes(stack: Stack, actor_class: str) -> list[psutil.Process]:
    """Return the processes of all actors of a class, as Ray titles them."""
    record = stack.folder.record()
    assert record is not None
    return [
        process
        for process in marked_processes(record.stack_id)
        if any(part.startswith(f"ray::{actor_class}") for part in process.cmdline())
    ]


def wait_for(what: str, condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Wait until ``condition`` holds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {timeout_s:g} s"
        time.sleep(0.05)
