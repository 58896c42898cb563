"""Counts that hold over all replicas of `api`: one detached Ray actor keeps them.

Ray is there wherever a replica is, and an actor call costs a millisecond. Kafka has no counters;
MongoDB could count, but each request would be a write to disk, and FerretDB does not run the
aggregation pipelines that `limits` needs for it; a Redis would be one more server to run for
numbers that nobody misses after a restart. While the actor is away (it is restarted, or starts)
each replica counts for itself: a limit is then too generous, and no request fails for it.
"""

import asyncio
import logging
import time
from typing import Any

import ray

import serve
from pipelines.settings import RaySettings
from pipelines.source_version import source_version
from serve.edge.counters import MemoryCounters, Verdict

log = logging.getLogger(__name__)

_NAME = "imustream.rate-limits"
_ANSWER_S = 0.25
"""A request waits no longer for a count; more is a sign of a dead actor, not of a busy one."""
_RETRY_S = 2.0


class RateCounts(MemoryCounters):
    """The actor; its memory is all it has."""


class SharedCounters:
    """Asks the actor, and counts here while it does not answer."""

    def __init__(self, settings: RaySettings) -> None:
        """Nothing is asked before the first request comes."""
        self._settings = settings
        self._own = MemoryCounters()
        self._actor: Any = None
        self._finding: asyncio.Task[None] | None = None
        self._retry_s = float("-inf")

    async def hit(self, rate: str, key: str) -> Verdict:
        """Count one request; see :class:`serve.edge.counters.Counters`."""
        if self._actor is None:
            self._find()
        if self._actor is not None:
            try:
                async with asyncio.timeout(_ANSWER_S):
                    return Verdict(*await self._actor.hit.remote(rate, key))
            except (TimeoutError, ray.exceptions.RayError) as error:
                log.warning(
                    "rate limits are counted by this replica alone for now: their actor does not "
                    "answer (%s)",
                    type(error).__name__,
                )
                self._actor = None
                self._retry_s = time.monotonic() + _RETRY_S
        return await self._own.hit(rate, key)

    def _find(self) -> None:
        """Look for the actor, or start it, beside the requests."""
        busy = self._finding is not None and not self._finding.done()
        if not busy and time.monotonic() >= self._retry_s:
            self._finding = asyncio.create_task(self._find_actor())

    async def _find_actor(self) -> None:
        try:
            actor = await asyncio.to_thread(_found_or_started, self._settings)
            await actor.hit.remote("1/second", "is anybody there?")
        except (ray.exceptions.RayError, ValueError) as error:
            log.warning("the actor of the rate limits does not start: %s", error)
            self._retry_s = time.monotonic() + _RETRY_S
        else:
            self._actor = actor


def _found_or_started(settings: RaySettings) -> Any:
    # Its name has the code's version: a new deployment counts with its own code, from nothing.
    return (
        ray.remote(RateCounts)
        .options(
            name=f"{_NAME}@{source_version([serve])}",
            namespace=settings.namespace,
            lifetime="detached",
            max_restarts=-1,
            num_cpus=0,
            get_if_exists=True,
        )
        .remote()
    )


def end_other_versions(settings: RaySettings) -> None:
    """End the actors that deployments of other code left. Needs Ray to be joined."""
    current = f"{_NAME}@{source_version([serve])}"
    for actor in ray.util.list_named_actors(all_namespaces=True):
        name, here = actor["name"], actor["namespace"] == settings.namespace
        if here and name.startswith(f"{_NAME}@") and name != current:
            ray.kill(ray.get_actor(name, namespace=settings.namespace))
