"""Shows in pipeline-control that the wanted model could not be taken into use."""

import time
from typing import Final

from pipelines.control import Alarm, clear_alarm, write_record
from pipelines.errors import UnavailableError
from pipelines.owned_partition import SlotIdentity
from pipelines.settings import KafkaSettings

AGAIN_S: Final = 30.0
"""An alarm is written again after this long: a slot that starts takes back what it finds."""


class ModelAlarm:
    """The alarm of one slot of a pipeline that runs a model."""

    def __init__(self, kafka: KafkaSettings, identity: SlotIdentity) -> None:
        self._kafka = kafka
        self._identity = identity
        self._raised: Alarm | None = None
        self._raised_s = 0.0

    def __call__(self, problem: str | None) -> None:
        """Raise the alarm, or take it back where ``problem`` is None."""
        identity = self._identity
        try:
            if problem is not None:
                if self._stands(problem):
                    return
                alarm = Alarm(
                    identity.pipeline,
                    identity.slot,
                    identity.generation,
                    problem,
                    time.time_ns() // 1000,
                )
                write_record(self._kafka, alarm)
                self._raised, self._raised_s = alarm, time.monotonic()
            elif self._raised is not None:
                clear_alarm(self._kafka, self._raised)
                self._raised = None
        except UnavailableError:
            # Kafka is away: the slot says so itself.
            return

    def _stands(self, problem: str) -> bool:
        if self._raised is None or self._raised.message != problem:
            return False
        return time.monotonic() - self._raised_s < AGAIN_S
