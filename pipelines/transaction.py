"""The one owner of a transactional producer: what each failure of a transaction means.

Model: Apache Kafka's ``StreamsProducer``. Every operation ends in one of five ways:

- done;
- :class:`FencedError`: another instance holds the transactional id (or the coordinator aborted a
  transaction that was open for too long); this producer can do no more;
- :class:`TransactionAbortedError`: nothing of the transaction is visible, or its outcome is in
  doubt; the caller's state is ahead of what is committed, so drop it, make a new producer (whose
  :meth:`Transactions.open` settles what was in doubt) and restore;
- :class:`UnavailableError`: the brokers did not answer for the whole of the transaction timeout;
- :class:`PipelineStoppedError`: a record is too large to be written, however often it is tried;
  nothing of the transaction is visible.
"""

import contextlib
import time
from collections.abc import Callable

from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from pipelines.errors import (
    FencedError,
    PipelineStoppedError,
    TransactionAbortedError,
    UnavailableError,
)
from pipelines.kafka_clients import kafka_error, new_producer, reason, transactional_options
from pipelines.records import Headers
from pipelines.settings import KafkaSettings

_ATTEMPT_S = 5.0
_QUEUE_FULL_S = 0.05
_FENCED_CODES = frozenset(
    {
        KafkaError._FENCED,
        KafkaError.PRODUCER_FENCED,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.FENCED_INSTANCE_ID,
    }
)


class Transactions:
    """Begins, fills and commits one transaction after another under one transactional id."""

    def __init__(
        self, settings: KafkaSettings, transactional_id: str, transaction_timeout_s: int
    ) -> None:
        """Make the producer; nothing is fenced before :meth:`open`."""
        self._where = f"transaction {transactional_id} at Kafka {settings.bootstrap_servers}"
        self._timeout_s = transaction_timeout_s
        self._producer: Producer = new_producer(
            transactional_options(settings, transactional_id, transaction_timeout_s)
        )

    def open(self) -> None:
        """Fence every predecessor and settle the transaction it left open.

        Raises:
            FencedError: another instance is opening the same id at this moment.
            UnavailableError: the brokers did not answer.
        """
        self._attempt("open", self._producer.init_transactions)

    def begin(self) -> None:
        """Begin a transaction; raises as the module says."""
        try:
            self._producer.begin_transaction()
        except KafkaException as error:
            raise self._judge("begin", error) from None

    def produce(
        self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers
    ) -> None:
        """Add a record; a full queue is waited for. Raises as the module says."""
        deadline = time.monotonic() + self._timeout_s
        while True:
            try:
                self._producer.produce(
                    topic, value=value, key=key, partition=partition, headers=list(headers)
                )
                return
            except BufferError:
                self._producer.poll(_QUEUE_FULL_S)
                if time.monotonic() > deadline:
                    raise self._aborted("produce", "the queue stayed full") from None
            except KafkaException as error:
                if kafka_error(error).code() == KafkaError.MSG_SIZE_TOO_LARGE:
                    self.abort()
                    raise self._too_large(topic, partition, key, value) from None
                raise self._judge("produce", error) from None

    def send_offsets(self, offsets: list[TopicPartition], group: object) -> None:
        """Let the commit hold these offsets of a consumer group; raises as the module says.

        It can wait for ever when a broker restarts (librdkafka issues 5456 and 5511): call it
        where somebody watches the time.
        """
        self._attempt(
            "send_offsets",
            lambda timeout_s: self._producer.send_offsets_to_transaction(offsets, group, timeout_s),
        )

    def commit(self) -> None:
        """Deliver all records and commit; raises as the module says."""
        self._attempt("commit", self._producer.commit_transaction)

    def abort(self) -> None:
        """Abort the open transaction, if the brokers answer; one left open times out by itself."""
        with contextlib.suppress(KafkaException):
            self._producer.abort_transaction(_ATTEMPT_S)

    def close(self) -> None:
        """Drop the producer without waiting for what it still held."""
        self._producer.purge(blocking=False)

    def _attempt(self, what: str, operation: Callable[[float], None]) -> None:
        """Do ``operation`` again while it says that it may be, up to the transaction timeout."""
        deadline = time.monotonic() + self._timeout_s
        while True:
            try:
                operation(min(_ATTEMPT_S, self._timeout_s))
                return
            except KafkaException as error:
                if not kafka_error(error).retriable():
                    raise self._judge(what, error) from None
                if time.monotonic() > deadline:
                    raise UnavailableError(
                        f"{what} of {self._where} got no answer for {self._timeout_s} s "
                        f"({reason(error)}): see that the brokers run (`imustream status`)"
                    ) from None

    def _judge(self, what: str, error: KafkaException) -> FencedError | TransactionAbortedError:
        """Name the failure; what is open is aborted, unless the producer can do nothing more."""
        cause = kafka_error(error)
        if cause.code() in _FENCED_CODES:
            return FencedError(
                f"{what} of {self._where}: {cause.str()}; a newer instance has taken over, "
                "or this one was cut off for too long: it stops"
            )
        if not cause.fatal():
            self.abort()
        return self._aborted(what, cause.str())

    def _too_large(
        self, topic: str, partition: int, key: bytes | None, value: bytes | None
    ) -> PipelineStoppedError:
        return PipelineStoppedError(
            f"produce of {self._where}: a record for {topic}/{partition} has "
            f"{len(key or b'') + len(value or b'')} bytes, more than message.max.bytes allows: "
            "raise it at the brokers and in kafka.options, then start the pipelines again"
        )

    def _aborted(self, what: str, why: str) -> TransactionAbortedError:
        return TransactionAbortedError(
            f"{what} of {self._where} failed: {why}; restore from the changelog and go on"
        )
