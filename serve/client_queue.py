"""The messages that wait for one WebSocket client: bounded, the oldest dropped first."""

import asyncio
from collections import deque
from typing import NamedTuple

from serve.live_encoding import SharedMessage, Wire


class _Numbered(NamedTuple):
    seq: int
    message: SharedMessage


class Outbox:
    """All that waits for one client; its queues have their turns, a message each.

    ``given``, ``dropped``: how many messages it was given, and how many were dropped, since
    whoever counts them set these to 0.

    All methods belong to one event loop.
    """

    def __init__(self) -> None:
        self._ready: deque[ClientQueue] = deque()
        self._filled = asyncio.Event()
        self.given = 0
        self.dropped = 0

    def has_some(self, queue: "ClientQueue") -> None:
        """Give a queue that was empty its turns."""
        self._ready.append(queue)
        self._filled.set()

    async def get(self) -> Wire:
        """Wait for a message and return it, as it is sent."""
        while True:
            while not self._ready:
                self._filled.clear()
                await self._filled.wait()
            queue = self._ready.popleft()
            wire = queue.take()
            if len(queue):
                self._ready.append(queue)
            if wire is not None:
                self.given += 1
                return wire


class ClientQueue:
    """A queue of one subscription that never grows beyond its bound.

    Messages are counted, ``seq``, and dropped where there is no room, the oldest first, which is
    counted too. A note is what the subscription itself is told: it is never dropped. Who can wait
    calls :meth:`room` before each, and nothing is.
    """

    def __init__(self, bound: int, outbox: Outbox, subscription: int | None = None) -> None:
        self._bound = bound
        self._outbox = outbox
        self._subscription = subscription
        self._waiting: deque[_Numbered | str] = deque()
        self._taken = asyncio.Event()
        self._dropped = 0
        self.made = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def has_room(self) -> bool:
        """Whether a message can be added without dropping another."""
        return len(self._waiting) < self._bound

    def put(self, message: SharedMessage) -> None:
        """Add a message; full, drop the oldest."""
        if not self.has_room:
            self._drop_oldest()
        self._append(_Numbered(self.made, message))
        self.made += 1

    def put_note(self, note: str) -> None:
        """Add a note; its sender waits for room, or makes few of them."""
        self._append(note)

    async def room(self) -> None:
        """Wait until a message can be added without dropping another."""
        while not self.has_room:
            self._taken.clear()
            await self._taken.wait()

    def take(self) -> Wire | None:
        """Return the oldest as it is sent, None where there is none."""
        if not self._waiting:
            return None
        oldest = self._waiting.popleft()
        self._taken.set()
        if isinstance(oldest, str):
            return oldest
        return oldest.message.personal(self._subscription, oldest.seq, self._dropped)

    def clear(self) -> None:
        """Forget what waits: its subscription has ended."""
        self._waiting.clear()
        self._taken.set()

    def _append(self, entry: _Numbered | str) -> None:
        self._waiting.append(entry)
        if len(self._waiting) == 1:
            self._outbox.has_some(self)

    def _drop_oldest(self) -> None:
        for place, entry in enumerate(self._waiting):
            if isinstance(entry, _Numbered):
                del self._waiting[place]
                self._dropped += 1
                self._outbox.dropped += 1
                return
