"""`python -m cluster.bench.one_slot GENERATION`: a slot of sensor_processing, outside Ray."""

import sys

from actors.process_tuning import keep_freed_memory, spare_the_collector
from cluster.bench.drain import PIPELINE
from pipelines.operators.sensor_processing import SensorProcessing
from pipelines.owned_partition import SlotIdentity
from pipelines.settings import load_settings
from pipelines.slot import Slot
from pipelines.slot_loop import SlotLoop


def main() -> None:
    """Own every partition until killed; the paused pipeline's generation goes on with it."""
    settings = load_settings()
    identity = SlotIdentity(PIPELINE, int(sys.argv[1]), 0, 1, "bench")
    operator = SensorProcessing(settings.processing, identity.code_version)
    keep_freed_memory()
    spare_the_collector()
    SlotLoop(lambda: Slot(operator, settings, identity), settings, identity).run()


if __name__ == "__main__":
    main()
