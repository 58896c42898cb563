"""The Ray actor of one slot: its loop in a thread, restarted by Ray whenever its process dies."""

import gc
import threading
from collections.abc import Callable
from typing import Any

from pipelines.operators.operator import Operator
from pipelines.owned_partition import SlotIdentity
from pipelines.settings import Settings
from pipelines.slot_loop import SlotLoop, SlotStatus

OperatorFactory = Callable[[Settings, str], Operator[Any]]
"""Makes a pipeline's operator of the settings and the code version."""

STOP_TIMEOUT_S = 10.0


def spare_the_collector() -> None:
    """Keep what is imported out of garbage collection, and collect once for many messages.

    A turn makes thousands of short-lived objects in no cycle; by default each 700 of them start a
    collection, which took a tenth of a slot's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 10, 10)


class Processor:
    """Holds the loop. It starts in ``__init__``, so that Ray's restart starts it again."""

    def __init__(
        self, make_operator: OperatorFactory, settings: Settings, identity: SlotIdentity
    ) -> None:
        operator = make_operator(settings, identity.code_version)
        spare_the_collector()
        self._loop = SlotLoop(operator, settings, identity)
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
