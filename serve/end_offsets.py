"""Where topics end, asked of the brokers when somebody wants to know."""

import threading
import time
from collections.abc import Mapping, Sequence

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from pipelines.errors import UnavailableError
from pipelines.kafka_clients import LOGGER, client_options, unavailable
from pipelines.settings import KafkaSettings
from pipelines.sinks.sink_offsets import Place

_AGE_S = 1.0
_TIMEOUT_S = 2.0


class EndOffsets:
    """The offset after the last committed record of each place; any thread may ask."""

    def __init__(self, settings: KafkaSettings, places: Sequence[Place]) -> None:
        self._settings = settings
        self._places = places
        self._admin = AdminClient(client_options(settings, "imustream-ends"), logger=LOGGER)
        self._lock = threading.Lock()
        self._offsets: Mapping[Place, int] = {}
        self._at_s = float("-inf")
        self._failed: UnavailableError | None = None

    def look(self) -> Mapping[Place, int]:
        """Return the offsets. It asks the brokers, at most once a second: not for an event loop.

        Raises:
            UnavailableError: the brokers did not answer.
        """
        with self._lock:
            if time.monotonic() - self._at_s >= _AGE_S:
                self._failed = None
                try:
                    self._offsets = self._ask()
                except UnavailableError as error:
                    self._failed = error
                self._at_s = time.monotonic()
            if self._failed is not None:
                raise self._failed
            return self._offsets

    def _ask(self) -> dict[Place, int]:
        request = {
            TopicPartition(*place): OffsetSpec.latest()  # type: ignore[no-untyped-call]
            for place in self._places
        }
        try:
            answers = self._admin.list_offsets(
                request,
                isolation_level=IsolationLevel.READ_COMMITTED,
                request_timeout=_TIMEOUT_S,
            )
            return {
                Place(asked.topic, asked.partition): answer.result(_TIMEOUT_S).offset
                for asked, answer in answers.items()
            }
        except (KafkaException, TimeoutError) as error:
            failed = error if isinstance(error, KafkaException) else KafkaException("no answer")
            where = self._settings.bootstrap_servers
            raise unavailable(failed, "asking where topics end", where) from None
