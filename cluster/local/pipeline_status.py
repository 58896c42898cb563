"""What the pipelines do now, read from Kafka in one go."""

import time

from pipelines.errors import UnavailableError
from pipelines.settings import Settings
from serve.observation import Observation
from serve.pipelines_report import PipelineReport

_READ_WITHIN_S = 10.0
_RATE_OVER_S = 1.2
_POLL_S = 0.05


def pipeline_status(settings: Settings) -> list[PipelineReport]:
    """The reports of all pipelines, with rates over about a second.

    Raises:
        UnavailableError: Kafka does not answer.
    """
    observation = Observation(settings)
    observation.start()
    try:
        _first_report(observation)
        # A rate needs two looks.
        time.sleep(_RATE_OVER_S)
        return observation.pipelines()
    finally:
        observation.stop()


def _first_report(observation: Observation) -> None:
    deadline = time.monotonic() + _READ_WITHIN_S
    while True:
        try:
            observation.pipelines()
            return
        except UnavailableError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_POLL_S)
