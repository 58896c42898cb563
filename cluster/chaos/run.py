"""Strike a stack under load, case by case, and prove each time what came of it."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from cluster.chaos.cases import PIPELINES, Case
from cluster.chaos.load import load
from cluster.chaos.strikes import wait_until_it_works
from cluster.local.ports import settings_on_free_ports
from cluster.local.stack import PARTS, Stack
from pipelines.control import read_control
from pipelines.errors import UnavailableError
from pipelines.settings import Settings
from pipelines.verify import VerifyResult

ARCHIVE_STALENESS_S = 3.0
"""The archive writes this often here, so that kills meet it at work."""


class CaseResult(NamedTuple):
    """What a case came to; ``back_at_work_s`` has an entry for each strike."""

    name: str
    what: str
    back_at_work_s: list[float]
    verified: VerifyResult
    seconds: float


@contextmanager
def chaos_stack() -> Iterator[Stack]:
    """A whole stack with S3, on free ports and in a folder that goes away with it."""
    with tempfile.TemporaryDirectory(prefix="imustream-chaos-") as folder:
        settings = chaos_settings(Path(folder))
        stack = Stack(settings, (*PARTS, "s3"))
        try:
            stack.up()
            yield stack
        finally:
            stack.down()


def chaos_settings(folder: Path) -> Settings:
    """Return settings of a private stack that archives every few seconds."""
    return settings_on_free_ports(folder, archive={"max_staleness_s": ARCHIVE_STALENESS_S})


def run_case(stack: Stack, name: str, case: Case, say: Callable[[str], None]) -> CaseResult:
    """Strike under load, and prove.

    Raises:
        UnavailableError: something did not come back, or the fleet ended meanwhile.
    """
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="imustream-load-") as folder:
        fleet = f"{name}{int(time.time())}"
        with load(stack, fleet, Path(folder)) as running:
            say(f"{name}: the load begins")
            for pipeline in running_pipelines(stack):
                wait_until_it_works(stack, pipeline)
            back_s = []
            for row, strike in enumerate(case.strikes, 1):
                say(f"{name}: strike {row} of {len(case.strikes)}")
                back_s.append(round(strike(stack), 1))
            if not running.running:
                raise UnavailableError(f"{name}: the fleet did not outlive the strikes")
            say(f"{name}: ending the load, then proving")
            verified = running.prove()
    return CaseResult(name, case.what, back_s, verified, time.monotonic() - began_s)


def running_pipelines(stack: Stack) -> Sequence[str]:
    """Return the pipelines that have slots, in the order of the data."""
    records = read_control(stack.settings.kafka).pipelines
    return [p for p in PIPELINES if p in records and not records[p].paused]
