"""A thread that reads Kafka by a consumer of its own until it is stopped."""

import logging
import threading
from collections.abc import Callable

from confluent_kafka import Consumer

from pipelines.errors import UnavailableError

log = logging.getLogger(__name__)


class ConsumerThread:
    """Calls ``follow`` with the consumer again and again; an error of it ends the thread."""

    def __init__(
        self, name: str, new_consumer: Callable[[], Consumer], follow: Callable[[Consumer], None]
    ) -> None:
        """``new_consumer`` and ``follow`` are called in the thread, from :meth:`start` on."""
        self._name = name
        self._new_consumer = new_consumer
        self._follow = follow
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start reading."""
        self._thread.start()

    def stop(self) -> None:
        """Stop reading; returns when the thread has ended."""
        self._stopping.set()
        self._thread.join()

    def check(self) -> None:
        """Raise where the thread has ended although nobody stopped it.

        Raises:
            UnavailableError: it has; a new replica must take over.
        """
        if not self._thread.is_alive():
            raise UnavailableError(
                f"the thread {self._name}, which reads Kafka, has ended; see the replica's log"
            )

    def _run(self) -> None:
        consumer = self._new_consumer()
        try:
            while not self._stopping.is_set():
                self._follow(consumer)
        except Exception:
            log.exception("the thread %s failed", self._name)
        finally:
            consumer.close()
