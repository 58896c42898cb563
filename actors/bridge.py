"""The bridge as a Ray actor: one in the cluster, restarted by Ray, its loop in a thread."""

import os
import threading
import time
from typing import Any

import ray

from actors.bridge_loop import BridgeLoop
from actors.code_version import code_version
from actors.deployment import deployment
from actors.detached import find_detached, start_detached
from pipelines.errors import UnavailableError
from pipelines.logs import configure_logging
from pipelines.settings import Settings

NAME = "imustream-bridge"
STOP_TIMEOUT_S = 10.0
START_TIMEOUT_S = 30.0
_POLL_S = 0.05
_SECTIONS = {"kafka", "mqtt", "logging"}
"""The settings that the bridge depends on."""


class Bridge:
    """Holds the loop. It starts in ``__init__``, so that Ray's restart starts it again."""

    def __init__(self, settings: Settings, version: str, deployed: str) -> None:
        configure_logging(settings, "bridge")
        self._deployment = deployed
        self._loop = BridgeLoop(settings, version)
        self._thread = threading.Thread(target=self._loop.run, name="bridge", daemon=True)
        self._thread.start()

    def status(self) -> dict[str, Any]:
        """Return the accounts of :class:`actors.bridge_loop.BridgeStatus`, and the process.

        ``deployment`` names the code and the settings that it runs with.
        """
        return {
            **self._loop.status(),
            "deployment": self._deployment,
            "running": self._thread.is_alive(),
            "pid": os.getpid(),
        }

    def stop(self) -> None:
        """Let Kafka take what is in flight, acknowledge it, and leave the broker."""
        self._loop.stop()
        self._thread.join(STOP_TIMEOUT_S)


def start(settings: Settings) -> None:
    """:func:`launch` the bridge and :func:`await_session`."""
    await_session(launch(settings))


def launch(settings: Settings) -> Any:
    """Start the bridge, or replace one of another deployment. Ray must be initialised.

    Returns its handle at once, while it connects.
    """
    version = code_version()
    deployed = deployment(version, settings, _SECTIONS)
    running = find(settings)
    if running is not None:
        status = _answer(running.status.remote())
        if status is not None and status["running"] and status.get("deployment") == deployed:
            return running
        stop(settings)
    resource = settings.ray.bridge_resource
    return start_detached(settings, NAME, Bridge, settings, version, deployed, resource=resource)


def await_session(actor: Any) -> None:
    """Return once its session is at the broker: from then on nothing published is lost.

    Raises:
        UnavailableError: Ray did not start it in time, or it could not reach the broker; it goes
            on trying.
    """
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while True:
        status = _answer(actor.status.remote())
        if status is None:
            raise UnavailableError(
                f"Ray did not start the bridge within {START_TIMEOUT_S:.0f} s; "
                f"look for {NAME} in Ray's dashboard"
            )
        if status["ready"]:
            return
        if time.monotonic() > deadline_s:
            raise UnavailableError(f"the bridge runs, but: {status['error']}; it goes on trying")
        time.sleep(_POLL_S)


def stop(settings: Settings) -> None:
    """End the bridge where one runs; what it had not acknowledged waits at the broker."""
    actor = find(settings)
    if actor is not None:
        _answer(actor.stop.remote())
        ray.kill(actor, no_restart=True)


def status(settings: Settings) -> dict[str, Any] | None:
    """Return the running bridge's accounts; None where none runs or it does not answer."""
    actor = find(settings)
    return None if actor is None else _answer(actor.status.remote())


def find(settings: Settings) -> Any:
    """Return the actor's handle, or None."""
    return find_detached(settings, NAME)


def _answer(reference: Any) -> Any:
    try:
        return ray.get(reference, timeout=START_TIMEOUT_S)
    except (ray.exceptions.RayActorError, ray.exceptions.GetTimeoutError):
        return None
