"""What `api` knows of sensors and pipelines, asked of Kafka."""

import time

import msgspec

from pipelines import topics
from pipelines.control import Control
from pipelines.errors import DataError, UnavailableError
from pipelines.ledger import Ledger, decode_ledger
from pipelines.operators.sensor_state import summarize
from pipelines.settings import Settings
from serve.kafka_view import KafkaView, LedgerSample
from serve.pipelines_report import Observed, PipelineReport, pipeline_report
from serve.sensor_directory import SensorDirectory, Summary

SENSOR_PROCESSING = "sensor-processing"
_US_PER_S = 1_000_000


class Observation:
    """Follows sensor_processing's changelog and the control records."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.view = KafkaView(settings.kafka, topics.SENSOR_PROCESSING_CHANGELOG, topics.RAW)
        self._directory = SensorDirectory(summarize)

    def sensors(self) -> list[Summary]:
        """Return what is known of each sensor, in the order of their ids.

        Raises:
            UnavailableError: Kafka has not been read to its end yet.
        """
        return self._directory.sensors(self.view.state_records())

    def sensor_processing(self) -> PipelineReport:
        """Return what the pipeline does. It may ask the brokers: not for an event loop.

        Raises:
            UnavailableError: Kafka has not been read to its end yet.
            DataError: a ledger cannot be read.
        """
        control = self.view.control()
        before, now = self.view.ledgers()
        try:
            ends = self.view.end_offsets()
        except UnavailableError:
            # All else is known without the brokers; the lag is not.
            ends = {}
        seen = Observed(
            control=control.pipelines.get(SENSOR_PROCESSING, self._not_begun()),
            alarms=[a for (name, _), a in control.alarms.items() if name == SENSOR_PROCESSING],
            ledgers=_decoded(now),
            before=_decoded(before),
            seconds=now.monotonic_s - before.monotonic_s,
            end_offsets=ends,
            now_us=int(time.time() * _US_PER_S),
        )
        return pipeline_report(seen)

    def _not_begun(self) -> Control:
        """Return what holds before the supervisor has written the pipeline's first record."""
        slots = self._settings.slot.slots
        return Control(pipeline=SENSOR_PROCESSING, slots=slots, generation=0, paused=False)


def _decoded(sample: LedgerSample) -> dict[int, Ledger]:
    ledgers = {}
    for partition, value in sample.ledgers.items():
        try:
            ledgers[partition] = decode_ledger(value)
        except msgspec.DecodeError as error:
            raise DataError(
                f"the ledger of partition {partition} in {topics.SENSOR_PROCESSING_CHANGELOG} "
                f"cannot be read ({error}); run one version of imustream everywhere"
            ) from None
    return ledgers
