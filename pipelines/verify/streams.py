"""The topics of one partition, each read once from its beginning, in bounded memory."""

import time
from collections.abc import Iterator
from typing import Any, Protocol

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from pipelines.errors import UnavailableError
from pipelines.kafka_clients import (
    client_options,
    consumer_options,
    new_consumer,
    reason,
    unavailable,
    watermarks,
)
from pipelines.settings import KafkaSettings

MESSAGES_A_READ = 500
PREFETCH_KB = 16 * 1024
ANSWER_S = 30.0
"""A broker that gives no record for this long is away."""

_PARTITION_EOF = -191


class Read(Protocol):
    """Called with how many records were read."""

    def __call__(self, records: int) -> None: ...


def record_headers(message: Message) -> dict[str, bytes]:
    """Return a record's headers by name."""
    headers: Any = message.headers() or ()
    return {name: value or b"" for name, value in headers}


class PartitionReader:
    """Reads the committed records of one partition of one topic, up to its end as of now."""

    def __init__(self, kafka: KafkaSettings, topic: str, partition: int) -> None:
        """Find where the partition begins and ends.

        Raises:
            UnavailableError: Kafka does not answer.
        """
        self._kafka = kafka
        self._name = f"{topic}/{partition}"
        options = consumer_options(kafka, "imustream-verify")
        options |= client_options(kafka, "imustream-verify")
        self._consumer = new_consumer(
            options | {"enable.partition.eof": True, "queued.max.messages.kbytes": PREFETCH_KB}
        )
        self._at = TopicPartition(topic, partition)
        try:
            self.begin, self.end = watermarks(self._consumer, topic, partition)
        except KafkaException as error:
            self._consumer.close()
            raise unavailable(error, f"reading {self._name}", kafka.bootstrap_servers) from None

    @property
    def consumer(self) -> Consumer:
        """The consumer, for questions about offsets."""
        return self._consumer

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()

    def batches(self, begin: int | None = None) -> Iterator[list[Message]]:
        """Yield the records from ``begin`` (the first there is) to the end, by the batch.

        Raises:
            UnavailableError: Kafka went away meanwhile.
        """
        start = self.begin if begin is None else begin
        if start >= self.end:
            return
        self._consumer.assign([TopicPartition(self._at.topic, self._at.partition, start)])
        ended = False
        while not ended:
            messages = self._next()
            records = []
            for message in messages:
                if message.error() is not None:
                    ended = True
                elif (message.offset() or 0) < self.end:
                    records.append(message)
            # Markers of transactions own offsets too, so the end may never be seen as a record.
            last = messages[-1].offset()
            ended = ended or (last is not None and last >= self.end - 1)
            if records:
                yield records
        self._consumer.unassign()

    def _next(self) -> list[Message]:
        try:
            messages = self._consumer.consume(MESSAGES_A_READ, 0.0)
            deadline_s = time.monotonic() + ANSWER_S
            while not messages:
                message = self._consumer.poll(1.0)
                messages = [] if message is None else [message]
                if time.monotonic() > deadline_s:
                    raise UnavailableError(
                        f"Kafka {self._kafka.bootstrap_servers} gave no record of {self._name} "
                        f"for {ANSWER_S:.0f} s; see that the brokers run (`imustream status`)"
                    )
            for message in messages:
                error = message.error()
                if error is not None and error.code() != _PARTITION_EOF:
                    raise KafkaException(error)
        except KafkaException as error:
            raise UnavailableError(
                f"reading {self._name} from Kafka {self._kafka.bootstrap_servers}: {reason(error)}"
            ) from None
        return messages
