"""What the keeper does next, from the jobs that Ray knows of. Pure.

Ray's own list of jobs is all there is to remember: a new Ray cluster has an empty one, so
everything is started there; with its state in Redis a head that was replaced still has it, and the
actors too.
"""

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

FIRST_RETRY_S = 2.0
LONGEST_RETRY_S = 60.0
MAX_FAILURES = 8
"""Of one program, one after another; then the keeper gives up, and Kubernetes starts it anew."""

MAX_RUN_S = 600.0
"""A program that has not ended by then hangs: it is stopped, which counts as a failure."""


class Status(Enum):
    """How a job is; Ray knows more kinds of each."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Job(NamedTuple):
    """A job that the keeper has submitted; times in seconds since the epoch."""

    id: str
    program: str
    version: str
    status: Status
    began_s: float
    ended_s: float
    message: str


class Step(Enum):
    """What to do about a program."""

    SUBMIT = "submit"
    WAIT = "wait"
    STOP = "stop"
    GIVE_UP = "give up"
    NOTHING = "nothing"


class Next(NamedTuple):
    """A step, and the job it is about."""

    step: Step
    job: Job | None


def next_step(
    program: str, version: str, jobs: Iterable[Job], now_s: float, since_s: float
) -> Next:
    """Return what to do for ``program``, which should have succeeded once as ``version``.

    since_s: when this keeper began; failures before do not count for giving up
    """
    ours = sorted(
        (job for job in jobs if (job.program, job.version) == (program, version)),
        key=lambda job: job.began_s,
    )
    if not ours:
        return Next(Step.SUBMIT, None)
    last = ours[-1]
    if last.status is Status.SUCCEEDED:
        return Next(Step.NOTHING, last)
    if last.status is Status.RUNNING:
        return Next(Step.STOP if now_s - last.began_s > MAX_RUN_S else Step.WAIT, last)
    failures = _failures_at_the_end(job for job in ours if job.began_s >= since_s)
    if failures >= MAX_FAILURES:
        return Next(Step.GIVE_UP, last)
    if now_s - last.ended_s < retry_after_s(failures):
        return Next(Step.WAIT, last)
    return Next(Step.SUBMIT, last)


def retry_after_s(failures: int) -> float:
    """Return how long to wait after so many failures one after another; 0 before the first."""
    return min(FIRST_RETRY_S * 2.0 ** min(failures - 1, 30), LONGEST_RETRY_S) if failures else 0.0


def _failures_at_the_end(jobs: Iterable[Job]) -> int:
    count = 0
    for job in jobs:
        count = count + 1 if job.status is Status.FAILED else 0
    return count
