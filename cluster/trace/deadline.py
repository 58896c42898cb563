"""How long a search may take. It is handed down to whatever reads."""

import time
from collections.abc import Callable


class Deadline:
    """Counts down; ``passed`` stays true once it is."""

    def __init__(self, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._monotonic = monotonic
        self._end_s = monotonic() + seconds

    @property
    def left_s(self) -> float:
        """Seconds that are left, none below 0."""
        return max(0.0, self._end_s - self._monotonic())

    @property
    def passed(self) -> bool:
        """Whether the time is up."""
        return self.left_s <= 0
