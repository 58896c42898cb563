"""What the bridge tells of its accounts, all at one moment, so that they balance when read.

received = delivered + refused + returned + in flight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from pipelines import metrics
from pipelines.metric_kinds import KEPT

if TYPE_CHECKING:
    from actors.bridge_inflight import Message
    from actors.bridge_loop import BridgeStatus

EVERY_S: Final = 1.0

_COUNTERS: Final = {
    "received": metrics.BRIDGE_RECEIVED,
    "delivered": metrics.BRIDGE_DELIVERED,
    "refused": metrics.BRIDGE_REFUSED,
    "returned": metrics.BRIDGE_RETURNED,
    "connections": metrics.BRIDGE_CONNECTIONS,
}


class BridgeMetrics:
    """Tells what has changed, now and then."""

    def __init__(self) -> None:
        self._told = dict.fromkeys(_COUNTERS, 0)
        self._late_us: list[int] = []
        self._due_s = 0.0

    def take_delivered(self, messages: list[Message], now_us: int) -> None:
        """Take in how late messages came to be in Kafka; at most a second's are kept."""
        if KEPT:
            self._late_us += [now_us - message.received_us for message in messages]

    def tell_now_and_then(self, status: BridgeStatus, now_s: float) -> None:
        """Tell unless that was done within `EVERY_S`; ``now_s`` is a clock that is never set."""
        if now_s >= self._due_s:
            self._due_s = now_s + EVERY_S
            self.tell(status)

    def tell(self, status: BridgeStatus) -> None:
        """Tell all accounts."""
        metrics.LATENCY_SECONDS.observe_all(np.array(self._late_us) / 1e6, "kafka")
        self._late_us.clear()
        for name, counter in _COUNTERS.items():
            count: int = getattr(status, name)
            counter.add(count - self._told[name])
            self._told[name] = count
        metrics.BRIDGE_IN_FLIGHT.set(status.in_flight)
        metrics.BRIDGE_IN_FLIGHT_BYTES.set(status.in_flight_bytes)
        metrics.BRIDGE_CONNECTED.set(int(status.ready))
