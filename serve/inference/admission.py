"""How many requests may be under way: beyond it one is refused at once, and waits nowhere."""

from collections.abc import Iterator
from contextlib import contextmanager

from serve.inference.refusal import busy


class Place:
    """One request's place; it holds the bytes of its body."""

    def __init__(self, admission: "Admission") -> None:
        self._admission = admission
        self.held_bytes = 0

    def hold(self, count: int) -> None:
        """Hold further bytes.

        Raises:
            RefusedError: all requests together hold too many.
        """
        self._admission.hold(count)
        self.held_bytes += count


class Admission:
    """Bounds the requests of one replica and the memory of their bodies."""

    def __init__(self, most_requests: int, most_bytes: int) -> None:
        self._most_requests = most_requests
        self._most_bytes = most_bytes
        self._requests = 0
        self._bytes = 0

    @contextmanager
    def place(self) -> Iterator[Place]:
        """Give a request a place while it is served.

        Raises:
            RefusedError: there is none left.
        """
        if self._requests >= self._most_requests:
            raise busy(f"{self._requests} requests are under way (inference.max_queue)")
        self._requests += 1
        place = Place(self)
        try:
            yield place
        finally:
            self._requests -= 1
            self._bytes -= place.held_bytes

    def hold(self, count: int) -> None:
        """Hold bytes; the place gives them back."""
        if self._bytes + count > self._most_bytes:
            raise busy(
                f"the requests under way hold {self._bytes} bytes (inference.max_queue_bytes)"
            )
        self._bytes += count
