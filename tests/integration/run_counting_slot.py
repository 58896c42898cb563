"""Run one slot of the counting pipeline in this process, for tests that kill it."""

import sys

from pipelines.owned_partition import SlotIdentity
from pipelines.settings import load_settings
from pipelines.slot import Slot
from pipelines.slot_loop import SlotLoop
from tests.integration.counting_operator import Counting

pipeline, generation, slot, slots, code_version = sys.argv[1:]
identity = SlotIdentity(pipeline, int(generation), int(slot), int(slots), code_version)
settings = load_settings()
operator = Counting(pipeline)
SlotLoop(lambda: Slot(operator, settings, identity), settings, identity).run()
