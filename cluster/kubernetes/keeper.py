"""`python -m cluster.kubernetes.keeper`: keep the stream on the RayCluster `processors`.

It submits `python -m actors` and `python -m serve inference` as jobs of Ray: on a new cluster, and
again when this Deployment has other code or settings. Both replace only what differs, and what they
start outlives them and the keeper. It is on a cluster what :mod:`cluster.local.applications` is on
one machine.

The jobs get the keeper's settings, so that those of a ConfigMap just changed hold even on a head
that has not been replaced yet; the passwords they find in the head's own files. A head of other
code refuses them (:mod:`cluster.kubernetes.submitted`) until KubeRay has replaced it.
"""

import logging
import os
import sys
import time
from collections.abc import Mapping

from cluster.kubernetes.health_server import serve_health
from cluster.kubernetes.job_board import JobBoard
from cluster.kubernetes.keeper_plan import Job, Step, next_step
from cluster.kubernetes.submitted import code_version, command
from pipelines.errors import ImustreamError, UnavailableError
from pipelines.logs import configure_logging
from pipelines.settings import load_settings

_LOGGER = logging.getLogger("cluster.kubernetes.keeper")  # It runs as __main__.

DEPLOYED_AS_VARIABLE = "IMUSTREAM_DEPLOYED_AS"
PORT = 8080
PROGRAMS: Mapping[str, tuple[str, ...]] = {
    "inference": ("serve", "inference"),
    "actors": ("actors",),
}
"""Each program's module and arguments; all run at once."""

POLL_S = 3.0
ALIVE_S = 120.0
"""A keeper that has not looked for this long hangs."""


class Keeper:
    """Looks again and again, and does what is to be done."""

    def __init__(self, board: JobBoard, version: str, env: Mapping[str, str]) -> None:
        """``version``: of code and settings; ``env``: the settings that jobs are given."""
        self._board = board
        self._version = version
        self._env = env
        self._began_s = time.time()
        self._looked_s = time.monotonic()
        self._said = ""
        self._ready = False

    def look(self) -> None:
        """Look once, and submit or stop what the plan says.

        Raises:
            GaveUpError: a program failed too often.
        """
        self._looked_s = time.monotonic()
        self._ready = False
        try:
            jobs = self._board.jobs()
            steps = [self._do(program, jobs) for program in PROGRAMS]
        except UnavailableError as error:
            self._say(str(error))
            return
        self._ready = all(step is Step.NOTHING for step in steps)
        if self._ready:
            self._say("the bridge, the pipelines and the models were started as they should be")

    def alive(self) -> bool:
        """Whether it goes on looking."""
        return time.monotonic() - self._looked_s < ALIVE_S

    def ready(self) -> bool:
        """Whether everything it keeps was started as it should be, when it last looked."""
        return self._ready

    def _do(self, program: str, jobs: list[Job]) -> Step:
        step, job = next_step(program, self._version, jobs, time.time(), self._began_s)
        name = shown(PROGRAMS[program])
        if job is None:
            why = ""
        elif step is Step.GIVE_UP:
            raise GaveUpError(f"{name} failed too often, last with: {self._why(job)}")
        elif step is Step.STOP:
            self._say(f"{name} does not end: it is stopped (job {job.id})")
            self._board.stop(job.id)
        else:
            why = self._why(job) if step is Step.SUBMIT else ""
        if step is Step.SUBMIT:
            line = command(PROGRAMS[program])
            done = self._board.submit(program, self._version, line, self._env)
            self._say(f"{name} was submitted as job {done}" + (f"; before: {why}" if why else ""))
        return step

    def _why(self, job: Job) -> str:
        return self._board.last_words(job.id) or job.message

    def _say(self, line: str) -> None:
        """Log a line unless it is the one said last."""
        if line != self._said:
            _LOGGER.info("%s", line)
            self._said = line


class GaveUpError(ImustreamError):
    """A program failed too often; the keeper ends, and Kubernetes starts it anew, ever later."""


def shown(program: tuple[str, ...]) -> str:
    """Return how one would type it."""
    return f"`python -m {' '.join(program)}`"


def own_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of an environment that are settings."""
    return {
        name: value
        for name, value in environment.items()
        if name.startswith("IMUSTREAM_") and name != DEPLOYED_AS_VARIABLE
    }


def main() -> int:
    """Keep until ended. Returns the exit code."""
    try:
        settings = load_settings()
        configure_logging(settings, "keeper")
        version = "-".join(filter(None, (os.environ.get(DEPLOYED_AS_VARIABLE), code_version())))
        keeper = Keeper(JobBoard(settings.ray.dashboard_url), version, own_settings(os.environ))
        serve_health(PORT, keeper.alive, keeper.ready)
        while True:
            keeper.look()
            time.sleep(POLL_S)
    except ImustreamError as error:
        print(f"keeper: {error}", file=sys.stderr, flush=True)
        return 2


if __name__ == "__main__":
    sys.exit(main())
