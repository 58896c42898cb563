"""How many messages a client may send: a token bucket. Pure."""

_BURST_S = 10.0


class MessageRate:
    """Allows ``per_s`` messages a second, and ten seconds' worth of them at once."""

    def __init__(self, per_s: float, now_s: float) -> None:
        self._per_s = per_s
        self._most = max(1.0, per_s * _BURST_S)
        self._tokens = self._most
        self._at_s = now_s

    def allows(self, now_s: float) -> bool:
        """Return whether one more may come now; if so it counts."""
        self._tokens = min(self._most, self._tokens + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
