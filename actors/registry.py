"""The pipelines there are, by name, and how the operator of each is made."""

from collections.abc import Mapping

from actors.processor import OperatorFactory
from pipelines.operators.sensor_processing import SensorProcessing
from pipelines.settings import Settings


def _sensor_processing(settings: Settings, code_version: str) -> SensorProcessing:
    return SensorProcessing(settings.processing, code_version)


PIPELINES: Mapping[str, OperatorFactory] = {SensorProcessing.name: _sensor_processing}
