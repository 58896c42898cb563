"""Calls to the replicas of deployment `Model`, that outlast the death of one."""

import asyncio
import time
from typing import Any

from ray.exceptions import RayActorError, RayTaskError
from ray.serve.exceptions import DeploymentUnavailableError, ReplicaUnavailableError
from ray.serve.handle import DeploymentHandle

from pipelines.errors import ImustreamError, UnavailableError
from pipelines.predictions import ModelId
from serve.inference.batches import Predicted, Sequences
from serve.inference.jobs import Timing

_RETRY_S = 0.1
_GONE = (RayActorError, DeploymentUnavailableError, ReplicaUnavailableError)


class Replicas:
    """All replicas; running a model changes nothing, so a call that was cut off is repeated."""

    def __init__(self, handle: DeploymentHandle[Any], timeout_s: float) -> None:
        self._handle = handle
        self._timeout_s = timeout_s

    async def infer(self, model: ModelId, sequences: Sequences) -> tuple[Predicted, Timing]:
        """Run sequences on one of the replicas.

        Raises:
            ImustreamError: as :meth:`serve.inference.model_replica.ModelReplica.infer` does.
            UnavailableError: no replica answered in time.
        """
        deadline_s = time.monotonic() + self._timeout_s
        while True:
            try:
                async with asyncio.timeout(deadline_s - time.monotonic()):
                    predicted, timing = await self._handle.infer.remote(model, sequences)
                    return Predicted(*predicted), Timing(*timing)
            except TimeoutError:
                raise _late(self._timeout_s) from None
            except RayTaskError as error:
                raise _own(error) from None
            except _GONE:
                if time.monotonic() + _RETRY_S > deadline_s:
                    raise _late(self._timeout_s) from None
                await asyncio.sleep(_RETRY_S)

    async def load(self, model: ModelId) -> None:
        """Have every replica load a version and warm it up.

        Raises:
            ImustreamError: as :meth:`serve.inference.model_replica.ModelReplica.load` does.
            UnavailableError: not all replicas answered in time.
        """
        await self._broadcast("load", *model)

    async def unload(self, name: str) -> None:
        """Have every replica forget a model.

        Raises:
            UnavailableError: not all replicas answered in time.
        """
        await self._broadcast("unload", name)

    async def _broadcast(self, method: str, *arguments: str) -> None:
        try:
            await self._handle.broadcast(method, *arguments).results_async(
                timeout_s=self._timeout_s
            )
        except TimeoutError:
            raise _late(self._timeout_s) from None
        except RayTaskError as error:
            raise _own(error) from None
        except _GONE as error:
            raise UnavailableError(f"a replica went while it was asked to {method}") from error


def _own(error: RayTaskError) -> ImustreamError:
    """Return the error that a replica raised, without Ray's story around it."""
    cause = error.cause
    if isinstance(cause, ImustreamError):
        return cause
    return UnavailableError(f"the model fails: {cause}")


def _late(timeout_s: float) -> UnavailableError:
    return UnavailableError(
        f"no replica answered in {timeout_s:g} s (inference.timeout_s); try again"
    )
