"""Run one slot of sensor_processing in this process, for tests that kill it."""

from pipelines.operators.sensor_processing import SensorProcessing
from pipelines.owned_partition import SlotIdentity
from pipelines.settings import load_settings
from pipelines.slot import Slot
from pipelines.slot_loop import SlotLoop

identity = SlotIdentity(SensorProcessing.name, 1, 0, 1, "test")
settings = load_settings()
operator = SensorProcessing(settings.processing, identity.code_version)
SlotLoop(lambda: Slot(operator, settings, identity), settings, identity).run()
