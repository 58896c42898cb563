"""How fast a number grows, from what it was when it was last looked at. Pure."""

from collections import deque

_SAMPLES = 64


class Growth:
    """Keeps samples of a number over the last ``over_s``; not for use by several threads."""

    def __init__(self, over_s: float) -> None:
        self._over_s = over_s
        self._samples: deque[tuple[float, int]] = deque(maxlen=_SAMPLES)

    def take(self, at_s: float, number: int) -> None:
        """Take in what the number is at a moment."""
        self._samples.append((at_s, number))
        while len(self._samples) > 2 and at_s - self._samples[1][0] >= self._over_s:
            self._samples.popleft()

    def per_s(self) -> float | None:
        """Return the growth a second; None before there are two samples."""
        if len(self._samples) < 2:
            return None
        (first_s, first), (last_s, last) = self._samples[0], self._samples[-1]
        return round(max(last - first, 0) / (last_s - first_s), 1) if last_s > first_s else None
