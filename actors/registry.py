"""The pipelines there are, by name, and how a slot of each is run."""

from collections.abc import Mapping

from actors.processor import RunFactory
from pipelines.operators.sensor_processing import SensorProcessing
from pipelines.owned_partition import SlotIdentity
from pipelines.settings import Settings
from pipelines.sinks.session_writer import SessionWriter
from pipelines.slot import Slot
from pipelines.slot_run import NewRun
from pipelines.topics import SESSION_WRITER


def _sensor_processing(settings: Settings, identity: SlotIdentity) -> NewRun:
    operator = SensorProcessing(settings.processing, identity.code_version)
    return lambda: Slot(operator, settings, identity)


def _session_writer(settings: Settings, identity: SlotIdentity) -> NewRun:
    return lambda: SessionWriter(settings, identity)


PIPELINES: Mapping[str, RunFactory] = {
    SensorProcessing.name: _sensor_processing,
    SESSION_WRITER: _session_writer,
}
