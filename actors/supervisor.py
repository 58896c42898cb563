"""The supervisor as a Ray actor: one in the cluster, restarted by Ray, its loop in a thread."""

import os
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple

import ray

from actors.code_version import code_version
from actors.deployment import deployment
from actors.detached import find_detached, start_detached
from actors.processor import RunFactory
from actors.supervisor_loop import SupervisorLoop
from pipelines.errors import UnavailableError
from pipelines.logs import configure_logging
from pipelines.settings import Settings

NAME = "imustream-supervisor"
START_TIMEOUT_S = 60.0
_SECTIONS = {
    "kafka",
    "processing",
    "sessions",
    "inference",
    "models",
    "writer",
    "mongo",
    "archive",
    "s3",
    "slot",
    "ray",
    "logging",
}
"""The settings that slots depend on."""


class SupervisorStatus(NamedTuple):
    """``deployment``: which code and settings it runs the slots with; ``detail``: what is in the
    way, empty when what runs is what is wanted; ``pid``: its process."""

    deployment: str
    detail: str
    pid: int


class Supervisor:
    """Holds the loop. It starts in ``__init__``, so that Ray's restart starts it again."""

    def __init__(
        self,
        settings: Settings,
        pipelines: Mapping[str, RunFactory],
        version: str,
        deployed: str,
    ) -> None:
        configure_logging(settings, "supervisor")
        self._deployment = deployed
        self._loop = SupervisorLoop(settings, pipelines, version, deployed)
        self._thread = threading.Thread(target=self._loop.run, name="supervisor", daemon=True)
        self._thread.start()

    def status(self) -> SupervisorStatus:
        """Return what this supervisor runs, and what is in the way of it."""
        return SupervisorStatus(self._deployment, self._loop.detail, os.getpid())


def start(settings: Settings, pipelines: Mapping[str, RunFactory]) -> None:
    """Start the supervisor, in place of one of another deployment. Ray must be initialised.

    Raises:
        UnavailableError: Ray did not start it in time.
    """
    deployed = deployment(code_version(), settings, _SECTIONS)
    running = find(settings)
    if running is not None:
        if _runs(running, deployed):
            return
        # Wherever this takes it, the next one goes on from there.
        ray.kill(running, no_restart=True)
    actor = start_detached(
        settings, NAME, Supervisor, settings, pipelines, code_version(), deployed
    )
    try:
        ray.get(actor.status.remote(), timeout=START_TIMEOUT_S)
    except (ray.exceptions.RayActorError, ray.exceptions.GetTimeoutError) as error:
        cause = str(error).strip().splitlines()
        raise UnavailableError(
            f"Ray did not start the supervisor within {START_TIMEOUT_S:.0f} s "
            f"({cause[-1] if cause else 'no answer'}); look for {NAME} in Ray's dashboard"
        ) from None


def find(settings: Settings) -> Any:
    """Return the actor's handle, or None."""
    return find_detached(settings, NAME)


def _runs(running: Any, deployed: str) -> bool:
    try:
        status = ray.get(running.status.remote(), timeout=START_TIMEOUT_S)
        return bool(status.deployment == deployed)
    except (ray.exceptions.RayActorError, ray.exceptions.GetTimeoutError):
        return False
    except AttributeError:  # it is of older code
        return False
