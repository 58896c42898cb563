"""Run one slot of session_writer in this process, for tests that kill it."""

import sys

from pipelines.owned_partition import SlotIdentity
from pipelines.settings import load_settings
from pipelines.sinks.session_writer import SessionWriter
from pipelines.slot_loop import SlotLoop

pipeline, generation, slot, slots, code_version = sys.argv[1:]
identity = SlotIdentity(pipeline, int(generation), int(slot), int(slots), code_version)
settings = load_settings()
SlotLoop(lambda: SessionWriter(settings, identity), settings, identity).run()
