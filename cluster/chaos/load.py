"""A fleet that publishes with faults in a process of its own, and the proof of what came of it."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cluster.bench.backlog_progress import IN_ORDER, wait_until_archived, wait_until_drained
from cluster.local.settings_environment import child_environment
from cluster.local.stack import Stack
from cluster.setup.paths import ROOT
from pipelines import topics
from pipelines.errors import UnavailableError
from pipelines.verify import STAGES, VerifyResult, verify

SENSORS = 60
_FAULTS = (
    *("--duplicates", "0.02", "--lost", "0.01", "--bad-crc", "0.01", "--cut", "0.01"),
    *("--reorder", "0.01", "--heartbeats", "0.01", "--reboot", "0.1"),
    *("--clock-offset", "2", "--clock-drift-ppm", "200", "--future-clock", "0.03"),
)
_FINISH_S = 120.0


class Load:
    """A running fleet; `prove` waits for its end and proves what came of it."""

    def __init__(
        self, stack: Stack, process: "subprocess.Popen[bytes]", report: Path, *, endless: bool
    ) -> None:
        self._endless = endless
        self._stack = stack
        self._process = process
        self._report = report

    @property
    def running(self) -> bool:
        """Whether the fleet still publishes."""
        return self._process.poll() is None

    def prove(self, stages: Sequence[str] = STAGES) -> VerifyResult:
        """End the load, wait until all of it is processed and archived, and return what `verify`
        found.

        ``stages``: only these pipelines are waited for and proved.

        Raises:
            UnavailableError: the fleet could not publish everything, or a pipeline does not end.
        """
        if self._endless:
            # It finishes what it began, and writes its report.
            self._process.terminate()
        if self._process.wait(_FINISH_S) != 0:
            raise UnavailableError("the fleet could not publish everything")
        settings = self._stack.settings
        wait_until_drained(settings, [name for name in IN_ORDER if name in stages])
        if topics.ARCHIVE in stages:
            wait_until_archived(settings)
        return verify(settings, self._report, stages=stages)


@contextmanager
def load(stack: Stack, name: str, folder: Path, seconds: float | None = None) -> Iterator[Load]:
    """Run `SENSORS` sensors with every kind of fault for ``seconds``, or until `Load.prove`."""
    report = folder / f"{name}.json"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "cluster.cli", "simulate", "--sensors", str(SENSORS)),
            *("--sensor-prefix", f"{name}-", "--report", str(report)),
            *(() if seconds is None else ("--seconds", str(seconds))),
            *_FAULTS,
        ],
        env=child_environment(stack.settings, ROOT),
        stdout=subprocess.DEVNULL,
    )
    try:
        yield Load(stack, process, report, endless=seconds is None)
    finally:
        process.kill()
        process.wait()
