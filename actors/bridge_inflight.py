"""The messages that the bridge has taken from the broker and not yet acknowledged."""

from collections import deque
from typing import Protocol


class DeliveryError(Protocol):
    """What Kafka's client says of a record that it could not deliver."""

    def str(self) -> str:
        """Return the error in words."""


class Message:
    """One message in flight; Kafka's client reports each of its records to :meth:`report`."""

    __slots__ = ("_in_flight", "dead", "mid", "received_us", "size", "waiting")

    def __init__(
        self,
        in_flight: "InFlight",
        mid: int | None,
        size: int,
        waiting: int,
        dead: bool,
        received_us: int,
    ) -> None:
        self._in_flight = in_flight
        self.mid = mid
        self.size = size
        self.waiting = waiting
        self.dead = dead
        self.received_us = received_us

    def report(self, error: DeliveryError | None, _record: object) -> None:
        """Take the delivery report of one record of this message."""
        if error is None:
            self.waiting -= 1
        else:
            self._in_flight.error = error.str()


class InFlight:
    """Messages in the order received; they leave at the head, when Kafka has them.

    ``error`` is set when Kafka refused a record for good: then this object and its producer are
    done with, and the broker must deliver again what is left here.
    """

    def __init__(self) -> None:
        self._messages: deque[Message] = deque()
        self.size = 0
        self.error: str | None = None

    def __len__(self) -> int:
        return len(self._messages)

    def add(
        self, mid: int | None, size: int, records: int, *, dead: bool, received_us: int = 0
    ) -> Message:
        """Take a message of ``size`` bytes that becomes so many records.

        mid: the packet identifier to acknowledge; None for a message of QoS 0.
        received_us: when it came, microseconds since the epoch.
        """
        message = Message(self, mid, size, records, dead, received_us)
        self._messages.append(message)
        self.size += size
        return message

    def take_delivered(self) -> list[Message]:
        """Remove and return the messages at the head that Kafka has, in the order received."""
        messages = self._messages
        taken = []
        while messages and messages[0].waiting == 0:
            message = messages.popleft()
            self.size -= message.size
            taken.append(message)
        return taken
