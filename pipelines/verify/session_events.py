"""The records of new-session-topic, read in step with the windows they were made of."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from confluent_kafka import Message

from pipelines.verify.aggregated_records import Tick, read_aggregated
from pipelines.verify.result import Kind

TICKS_AHEAD = 64


@dataclass(frozen=True)
class Published:
    """An event at ``offset`` of new-session-topic."""

    offset: int
    event: dict[str, Any]

    @property
    def through_offset(self) -> int:
        """The end of the input that the event was made of."""
        return int(self.event["through_offset"])

    @property
    def key(self) -> tuple[str, int]:
        """Which event this is: the session's id and the revision."""
        return self.event["session_id"], self.event["revision"]


class EventStream:
    """Gives events by their input, and the forwarded ticks in their order.

    ``whole`` says whether it begins with what came of the first input record that is checked.
    What cannot be read is ``malformed``.
    """

    def __init__(self, batches: Iterator[list[Message]], whole: bool = True) -> None:
        self._records = (self._read(message) for batch in batches for message in batch)
        self._next: Published | int | None = None
        self._ticks: deque[int] = deque()
        self._aligned = whole
        self._last_tick: int | None = None
        self.malformed: list[int] = []

    def first_event(self) -> Published | None:
        """Return the first event there is, and leave it."""
        while isinstance(self._peek(), int):
            self._take_tick()
        head = self._peek()
        return head if isinstance(head, Published) else None

    def through(self, offset: int) -> list[Published]:
        """Return the next events that were made of input below ``offset``."""
        found = []
        while (head := self._peek()) is not None:
            if isinstance(head, int):
                if self._aligned and len(self._ticks) == TICKS_AHEAD:
                    break
                self._take_tick()
            elif head.through_offset <= offset:
                found.append(head)
                self._next = None
            else:
                break
        return found

    def tick(self, number: int) -> list[Kind]:
        """Strike off the forwarding of a tick; return what is wrong with it."""
        found: list[Kind] = []
        if not self._aligned:
            if number not in self._ticks:
                return found
            self._aligned = True
            while self._ticks[0] != number:
                self._ticks.popleft()
        while self._ticks and self._ticks[0] != number and self._ticks[0] == self._last_tick:
            self._ticks.popleft()
            found.append("doubled")
        if not self._ticks or self._ticks[0] != number:
            return [*found, "lost"]
        self._last_tick = self._ticks.popleft()
        return found

    def _take_tick(self) -> None:
        assert isinstance(self._next, int)
        self._ticks.append(self._next)
        self._next = None
        if not self._aligned and len(self._ticks) > TICKS_AHEAD:
            self._ticks.popleft()

    def _peek(self) -> Published | int | None:
        while self._next is None:
            try:
                self._next = next(self._records)
            except StopIteration:
                return None
        return self._next

    def _read(self, message: Message) -> Published | int | None:
        offset, key, value = message.offset() or 0, message.key(), message.value() or b""
        if key is None:
            record = read_aggregated(None, value)
            if isinstance(record, Tick):
                return record.number
        else:
            try:
                event = orjson.loads(value)
                whole = type(event["through_offset"]) is int and type(event["revision"]) is int
                if whole and event["sensor_id"] == key.decode() and event["session_id"]:
                    return Published(offset, event)
            except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
                pass
        self.malformed.append(offset)
        return None
