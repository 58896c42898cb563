"""Run one slot of session_aggregation in this process, for tests that kill it."""

from pipelines.operators.session_aggregation import SessionAggregation
from pipelines.owned_partition import SlotIdentity
from pipelines.settings import load_settings
from pipelines.slot import Slot
from pipelines.slot_loop import SlotLoop

identity = SlotIdentity(SessionAggregation.name, 1, 0, 1, "test")
settings = load_settings()
operator = SessionAggregation(settings.sessions, identity.code_version)
SlotLoop(lambda: Slot(operator, settings, identity), settings, identity).run()
