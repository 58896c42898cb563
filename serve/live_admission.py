"""How many connections a replica holds, in all and of one client. Pure."""

from collections import Counter

from pipelines.settings import LiveSettings
from serve.close_codes import TRY_AGAIN_LATER, ClosingError


class Admission:
    """Counts who is in."""

    def __init__(self, settings: LiveSettings) -> None:
        self._most = settings.max_clients
        self._most_of_one = settings.max_clients_per_subject
        self._inside: Counter[str] = Counter()

    def enter(self, subject: str) -> None:
        """Let one more in.

        Raises:
            ClosingError: 1013, there is no room.
        """
        if self._inside.total() >= self._most:
            raise ClosingError(TRY_AGAIN_LATER, f"full: live.max_clients is {self._most}")
        if self._inside[subject] >= self._most_of_one:
            raise ClosingError(
                TRY_AGAIN_LATER,
                f"too many of your connections: live.max_clients_per_subject is "
                f"{self._most_of_one}",
            )
        self._inside[subject] += 1

    def leave(self, subject: str) -> None:
        """Let one out."""
        self._inside[subject] -= 1
        if not self._inside[subject]:
            del self._inside[subject]
