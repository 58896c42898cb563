"""Counts of requests, in a moving window."""

import math
import time
from typing import NamedTuple, Protocol

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter


class Verdict(NamedTuple):
    """Whether one more request may pass.

    remaining: how many more may now
    reset_s:   when the oldest counted request is forgotten, whole seconds from now
    """

    allowed: bool
    remaining: int
    reset_s: int


class Counters(Protocol):
    """Count requests by client."""

    async def hit(self, rate: str, key: str) -> Verdict:
        """Count one request of ``key``, of which ``rate`` (as in ``300/minute``) may pass."""


class MemoryCounters:
    """Counts in this process; a request's entry is forgotten when its window has passed.

    So its memory is bounded by the requests that pass in a window, some 100 bytes each.
    """

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._rates: dict[str, RateLimitItem] = {}

    async def hit(self, rate: str, key: str) -> Verdict:
        """Count one request; see :class:`Counters`."""
        item = self._rates.setdefault(rate, parse(rate))
        allowed = self._limiter.hit(item, key)
        stats = self._limiter.get_window_stats(item, key)
        return Verdict(allowed, stats.remaining, max(1, math.ceil(stats.reset_time - time.time())))
