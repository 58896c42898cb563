"""Deployment `Model`: replicas that run models, for the protocol's HTTP and for pipelines."""

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ray import serve

from pipelines.errors import ImustreamError
from pipelines.logs import configure_logging
from pipelines.models.serving_names import DEPLOYMENT
from pipelines.models.store import open_store
from pipelines.predictions import ModelId
from pipelines.settings import InferenceSettings, Settings
from serve.inference.batches import Predicted, Sequences
from serve.inference.jobs import Job, Timing, run_batch, run_jobs
from serve.inference.loaded_models import LoadedModel, LoadedModels

_LOGGER = logging.getLogger(__name__)
_SPARE_REQUESTS = 64
"""Calls above the queue of HTTP requests: those of pipelines, and to load and unload."""


class ModelReplica:
    """One replica: some versions of models, and one thread that runs them in turn.

    onnxruntime runs in that thread, so that the replica goes on taking requests, which fill the
    next batch meanwhile; loading has threads of its own and holds nobody up.
    """

    def __init__(self, settings: Settings) -> None:
        """Load and warm up the stable versions, so that a replica is ready once it is there."""
        configure_logging(settings, "model")
        self._models = LoadedModels(open_store(settings), settings.inference)
        self._thread = ThreadPoolExecutor(1, "inference")
        batches: Any = self._run_batch
        batches.set_max_batch_size(settings.inference.max_batch)
        batches.set_batch_wait_timeout_s(settings.inference.batch_wait_ms / 1_000)
        try:
            self._models.load_stable()
        except ImustreamError as error:
            # Without the store there is nothing to load; a model is loaded when it is called.
            _LOGGER.warning("inference starts without models: %s", error)

    async def load(self, name: str, version: str, sha256: str) -> None:
        """Load a version beside the others and warm it up.

        Raises:
            NotFoundError: the store has no such version.
            DataError: its files are damaged, or it has another SHA-256.
            UnavailableError: the store does not answer.
        """
        await self._loaded(ModelId(name, version, sha256))

    async def unload(self, name: str) -> None:
        """Forget all versions of a model."""
        self._models.unload(name)

    async def infer_sequences(
        self,
        name: str,
        version: str,
        sha256: str,
        features: Any,
        lengths: Any,
        hidden: Any,
        cell: Any,
    ) -> tuple[Any, Any, Any]:
        """Run sequences that are a batch already; return predictions, hidden and cell.

        Shapes are those of :mod:`pipelines.models.model_files`.

        Raises:
            NotFoundError: the store has no such version.
            DataError: its files are damaged, or it has another SHA-256.
            UnavailableError: the store does not answer.
        """
        loaded = await self._loaded(ModelId(name, version, sha256))
        sequences = Sequences(features, lengths, hidden, cell)
        loop = asyncio.get_running_loop()
        predicted = await loop.run_in_executor(self._thread, run_batch, loaded, sequences)
        return predicted.predictions, predicted.hidden, predicted.cell

    async def infer(self, model: ModelId, sequences: Sequences) -> tuple[Predicted, Timing]:
        """Run the sequences of one request together with those of others.

        Raises:
            as :meth:`infer_sequences`.
        """
        arrived_ns = time.perf_counter_ns()
        loaded = await self._loaded(ModelId(*model))
        job = Job(loaded, Sequences(*sequences), arrived_ns)
        outcome: Any = await self._run_batch(job)
        if isinstance(outcome, Exception):
            raise outcome
        predicted, timing = outcome
        return predicted, timing

    @serve.batch
    async def _run_batch(self, jobs: list[Job]) -> list[Any]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, run_jobs, jobs)

    async def _loaded(self, model: ModelId) -> LoadedModel:
        found = self._models.find(model)
        if found is None:
            found = await asyncio.to_thread(self._models.load, model)
        return found


def model_application(settings: Settings) -> serve.Application:
    """Return the deployment, to be bound into the application `inference`."""
    deployment = serve.deployment(
        name=DEPLOYMENT,
        num_replicas=settings.inference.replicas,
        max_ongoing_requests=settings.inference.max_queue + _SPARE_REQUESTS,
        graceful_shutdown_timeout_s=1,
        # How soon a replica that was killed is missed and another started.
        health_check_period_s=1,
        ray_actor_options=_resources(settings.inference),
    )(ModelReplica)
    return deployment.bind(settings)


def _resources(settings: InferenceSettings) -> dict[str, float]:
    gpus = {"num_gpus": settings.gpus_per_replica} if settings.device == "cuda" else {}
    return {"num_cpus": settings.threads, **gpus}
