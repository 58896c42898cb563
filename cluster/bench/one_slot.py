"""`python -m cluster.bench.one_slot GENERATION`: a slot of sensor_processing, outside Ray."""

import os
import sys
import threading

from actors.process_tuning import keep_freed_memory, spare_the_collector
from cluster.bench.drain import PIPELINE
from pipelines.operators.sensor_processing import SensorProcessing
from pipelines.owned_partition import SlotIdentity
from pipelines.settings import load_settings
from pipelines.slot import Slot
from pipelines.slot_loop import SlotLoop


def main() -> None:
    """Own every partition until whoever started it ends; the generation goes on with it."""
    threading.Thread(target=_end_with_starter, daemon=True).start()
    settings = load_settings()
    identity = SlotIdentity(PIPELINE, int(sys.argv[1]), 0, 1, "bench")
    operator = SensorProcessing(settings.processing, identity.code_version)
    keep_freed_memory()
    spare_the_collector()
    SlotLoop(lambda: Slot(operator, settings, identity), settings, identity).run()


def _end_with_starter() -> None:
    """A slot that is left behind would take the partitions of those that come after it."""
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    main()
