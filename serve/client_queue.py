"""The messages that wait for one WebSocket client: bounded, the oldest dropped first."""

import asyncio
from collections import deque


class ClientQueue:
    """A queue that never grows beyond its bound and counts what it had to drop.

    All methods belong to one event loop. A message's head is shared by all clients of a stream;
    what differs between them, ``seq`` and ``dropped``, is added when it is sent.
    """

    def __init__(self, bound: int) -> None:
        self._waiting: deque[tuple[int, str]] = deque(maxlen=bound)
        self._filled = asyncio.Event()
        self._made = 0
        self._dropped = 0

    def put(self, head: str) -> None:
        """Add a message, a JSON object without its closing brace; full, drop the oldest."""
        if len(self._waiting) == self._waiting.maxlen:
            self._dropped += 1
        self._waiting.append((self._made, head))
        self._made += 1
        self._filled.set()

    async def get(self) -> str:
        """Wait for the oldest message and return it, whole."""
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        seq, head = self._waiting.popleft()
        return f'{head},"seq":{seq},"dropped":{self._dropped}}}'
