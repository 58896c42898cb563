"""`python -m actors`: start the bridge and the pipelines on a Ray cluster, and see them run.

It is what `ray job submit --working-dir . -- python -m actors` runs. What it starts outlives it.
"""

import logging
import sys
from collections.abc import Callable

import ray

from actors import bridge, supervisor
from actors.code_version import code_version
from actors.registry import PIPELINES
from pipelines.admin import create_topics
from pipelines.errors import ImustreamError, UnavailableError
from pipelines.generation import GenerationProgress, wait_for_generation
from pipelines.logs import configure_logging
from pipelines.settings import Settings, load_settings

RUNNING_TIMEOUT_S = 90.0


def main() -> int:
    """Start everything; returns the exit code: 2 with one line when something is in the way."""
    try:
        settings = load_settings()
        configure_logging(settings, "deploy-actors")
        _start(settings)
    except ImustreamError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _start(settings: Settings) -> None:
    created = create_topics(settings.kafka)
    _say(f"topics: {len(created)} created" if created else "topics: all there")
    _connect(settings)
    launched = bridge.launch(settings)
    supervisor.start(settings, PIPELINES)
    _say("supervisor: started")
    for pipeline in PIPELINES:
        wait_for_generation(settings, pipeline, RUNNING_TIMEOUT_S, _sayer(pipeline), code_version())
        _say(f"{pipeline}: running")
    # Last, so that a broker that is away does not keep the pipelines from what Kafka holds.
    bridge.await_session(launched)
    _say("bridge: started")


def _connect(settings: Settings) -> None:
    try:
        ray.init(
            address=settings.ray.address,
            namespace=settings.ray.namespace,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UnavailableError(
            f"the Ray cluster at {settings.ray.address} cannot be joined "
            f"({str(error).splitlines()[0]}); see that it runs and that ray.address is right"
        ) from None


def _sayer(pipeline: str) -> Callable[[GenerationProgress], None]:
    def say(progress: GenerationProgress) -> None:
        _say(
            f"{pipeline}: generation {progress.generation}, {progress.slots} slots, "
            f"{progress.partitions} partitions"
        )

    return say


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
