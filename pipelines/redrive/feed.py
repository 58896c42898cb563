"""The requests to redrive, as a slot reads them beside its input: a consumer of dead-letters.

It is a client of its own, so that neither letters nor a redrive of many of them come between a
slot and its input. Without letters it costs a slot two idle fetches a second.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from pipelines import topics
from pipelines.kafka_clients import (
    consumer_options,
    new_consumer,
    transient,
    unavailable,
    watermarks,
)
from pipelines.redrive.request_record import BadRequest, RedriveRequest, is_request, read_request
from pipelines.settings import KafkaSettings

_READ: Final = 1_024
_PREFETCH_KB: Final = 8 * 1024
_IDLE_FETCH_MS: Final = 500

Request = RedriveRequest | BadRequest


class Asked(NamedTuple):
    """What is asked of a partition; ``read_to`` is the first offset not looked at yet.

    ``low`` is the first offset that retention has left, as of the run's first redrive; 0 where
    nothing is asked.
    """

    requests: list[Request]
    read_to: int
    low: int


class RedriveFeed:
    """Reads on from where :meth:`begin` says; not for use by several threads."""

    def __init__(self, kafka: KafkaSettings, pipeline: str, input_topic: str, most: int) -> None:
        """Make the client; ``most`` is how many requests :meth:`take` gives at once."""
        self._most = most
        self._kafka = kafka
        self._pipeline = pipeline.encode()
        self._input_topic = input_topic
        self._consumer: Consumer = new_consumer(
            consumer_options(kafka, f"imustream.{pipeline}.redrive")
            | {
                # Letters below were deleted by retention; requests for them too.
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": _IDLE_FETCH_MS,
                "queued.max.messages.kbytes": _PREFETCH_KB,
            }
        )
        self._pending: deque[Message] = deque()
        self._lows: dict[int, int] = {}

    def begin(self, offsets: Mapping[int, int]) -> None:
        """Read each partition from its offset on."""
        self._consumer.assign(
            [TopicPartition(topics.DEAD_LETTERS, p, offset) for p, offset in offsets.items()]
        )

    def take(self) -> dict[int, Asked]:
        """Return what was read by now, by partition, without waiting for any.

        Raises:
            UnavailableError: the brokers did not answer.
        """
        try:
            if not self._pending:
                self._pending.extend(self._consumer.consume(_READ, 0.0))
            return self._taken() if self._pending else {}
        except KafkaException as error:
            what, where = f"reading {topics.DEAD_LETTERS}", self._kafka.bootstrap_servers
            raise unavailable(error, what, where) from None

    def close(self) -> None:
        """Leave the brokers."""
        self._consumer.close()

    def _taken(self) -> dict[int, Asked]:
        requests: dict[int, list[Request]] = {}
        read_to: dict[int, int] = {}
        count = 0
        while self._pending and count < self._most:
            message = self._pending.popleft()
            error = message.error()
            if error is not None:
                if transient(error):
                    continue
                raise KafkaException(error)
            partition, offset = message.partition() or 0, message.offset() or 0
            read_to[partition] = offset + 1
            request = self._request(message, partition, offset)
            if request is not None:
                requests.setdefault(partition, []).append(request)
                count += 1
        return {
            p: Asked(requests.get(p, []), offset, self._low(p) if p in requests else 0)
            for p, offset in read_to.items()
        }

    def _request(self, message: Message, partition: int, offset: int) -> Request | None:
        pairs: Any = message.headers() or ()
        headers = {name: value or b"" for name, value in pairs}
        if not is_request(headers) or headers.get("pipeline") != self._pipeline:
            return None
        value, place = message.value() or b"", f"{self._input_topic}/{partition}"
        return read_request(offset, message.key(), value, headers, place)

    def _low(self, partition: int) -> int:
        if partition not in self._lows:
            low, _ = watermarks(self._consumer, topics.DEAD_LETTERS, partition)
            self._lows[partition] = low
        return self._lows[partition]
