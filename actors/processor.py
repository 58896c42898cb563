"""The Ray actor of one slot: its loop in a thread, restarted by Ray whenever its process dies."""

import threading
from collections.abc import Callable

from actors.process_tuning import keep_freed_memory, spare_the_collector
from pipelines.logs import configure_logging
from pipelines.owned_partition import SlotIdentity
from pipelines.settings import Settings
from pipelines.slot_loop import SlotLoop, SlotStatus
from pipelines.slot_run import NewRun

RunFactory = Callable[[Settings, SlotIdentity], NewRun]
"""Prepares, once a process, what starts each run of a slot."""

STOP_TIMEOUT_S = 10.0


class Processor:
    """Holds the loop. It starts in ``__init__``, so that Ray's restart starts it again."""

    def __init__(self, make_run: RunFactory, settings: Settings, identity: SlotIdentity) -> None:
        configure_logging(
            settings,
            "slot",
            pipeline=identity.pipeline,
            slot=identity.slot,
            generation=identity.generation,
        )
        new_run = make_run(settings, identity)
        keep_freed_memory()
        spare_the_collector()
        self._loop = SlotLoop(new_run, settings, identity)
        self._thread = threading.Thread(target=self._loop.run, name="slot", daemon=True)
        self._thread.start()

    def status(self) -> SlotStatus:
        """Return how the slot is."""
        return self._loop.status

    def stop(self) -> SlotStatus:
        """End after the present transaction, with snapshots; return how the slot then is."""
        self._loop.stop()
        self._thread.join(STOP_TIMEOUT_S)
        return self._loop.status


def processor_class(pipeline: str) -> type[Processor]:
    """Return the actor class of a pipeline's slots.

    Ray calls a process by its class, so that `ps` and the Ray dashboard tell the pipelines apart.
    """
    return type(f"Processor-{pipeline}", (Processor,), {})
