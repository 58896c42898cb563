"""What becomes of a transaction: each operation, and each failure that can be brought about."""

from collections.abc import Iterator

import pytest

from cluster.local.stack import Stack
from pipelines.admin import create_topics
from pipelines.compacted import reader, until_end
from pipelines.errors import (
    ConfigurationError,
    FencedError,
    PipelineStoppedError,
    TransactionAbortedError,
    UnavailableError,
)
from pipelines.settings import KafkaSettings
from pipelines.topics import MAX_MESSAGE_BYTES, Topic
from pipelines.transaction import Transactions

TIMEOUT_S = 30


class Place:
    """A topic of its own, and transactions under an id of its own."""

    def __init__(self, kafka: KafkaSettings, name: str) -> None:
        self.kafka = kafka
        self.name = name
        create_topics(kafka, [Topic(name, partitions=1)])

    def opened(self) -> Transactions:
        transactions = Transactions(self.kafka, self.name, TIMEOUT_S)
        transactions.open()
        return transactions

    def committed(self) -> list[bytes | None]:
        consumer = reader(self.kafka, "judge")
        try:
            return [message.value() for message in until_end(consumer, self.name, [0])]
        finally:
            consumer.close()

    def produce(self, transactions: Transactions, value: bytes) -> None:
        transactions.produce(self.name, 0, b"key", value, ())

    def write(self, transactions: Transactions, value: bytes) -> None:
        transactions.begin()
        self.produce(transactions, value)
        transactions.commit()


@pytest.fixture
def place(servers: Stack, request: pytest.FixtureRequest) -> Iterator[Place]:
    yield Place(servers.settings.kafka, f"transaction-{request.node.name[:60]}")


def test_what_is_committed_is_read_in_order(place: Place) -> None:
    transactions = place.opened()
    for value in (b"1", b"2", b"3"):
        place.write(transactions, value)
    transactions.close()
    assert place.committed() == [b"1", b"2", b"3"]


def test_what_is_aborted_is_never_read(place: Place) -> None:
    transactions = place.opened()
    transactions.begin()
    place.produce(transactions, b"aborted")
    transactions.abort()
    place.write(transactions, b"committed")
    transactions.close()
    assert place.committed() == [b"committed"]


def test_opening_aborts_what_the_predecessor_left_open_and_fences_it(place: Place) -> None:
    predecessor = place.opened()
    place.write(predecessor, b"before")
    predecessor.begin()
    place.produce(predecessor, b"left open")
    successor = place.opened()
    place.write(successor, b"after")
    assert place.committed() == [b"before", b"after"]
    with pytest.raises(FencedError, match="a newer instance has taken over"):
        predecessor.commit()
    predecessor.close()
    successor.close()


def test_a_fenced_producer_can_neither_begin_nor_commit(place: Place) -> None:
    predecessor = place.opened()
    place.write(predecessor, b"before")
    successor = place.opened()
    with pytest.raises(FencedError):
        place.write(predecessor, b"after")
    with pytest.raises((FencedError, TransactionAbortedError)):
        place.write(predecessor, b"again")
    predecessor.close()
    successor.close()
    assert place.committed() == [b"before"]


def test_a_record_too_large_stops_the_pipeline(place: Place) -> None:
    transactions = place.opened()
    transactions.begin()
    place.produce(transactions, b"small")
    size = MAX_MESSAGE_BYTES + 1
    told = rf"{place.name}/0 has {size + len(b'key')} bytes, more than message\.max\.bytes"
    with pytest.raises(PipelineStoppedError, match=told):
        place.produce(transactions, bytes(size))
    transactions.close()
    again = place.opened()
    place.write(again, b"after")
    again.close()
    assert place.committed() == [b"after"]


def test_operations_out_of_order_are_refused(place: Place) -> None:
    transactions = place.opened()
    with pytest.raises(TransactionAbortedError, match="commit of transaction"):
        transactions.commit()
    with pytest.raises(TransactionAbortedError, match="produce of transaction"):
        place.produce(transactions, b"outside")
    transactions.close()
    assert place.committed() == []


def test_a_broker_that_is_away_is_told_in_one_line() -> None:
    away = KafkaSettings(bootstrap_servers="127.0.0.1:1")
    transactions = Transactions(away, "away", transaction_timeout_s=1)
    with pytest.raises(UnavailableError, match=r"open of transaction away at Kafka 127\.0\.0\.1:1"):
        transactions.open()
    transactions.close()
    with pytest.raises(UnavailableError, match="listing topics failed at Kafka 127"):
        create_topics(away)


def test_a_topic_with_other_partitions_is_refused(place: Place) -> None:
    with pytest.raises(ConfigurationError, match="has 1 partitions and must have 10"):
        create_topics(place.kafka, [Topic(place.name)])


def test_topics_are_created_once(place: Place) -> None:
    topic = Topic(f"{place.name}-new")
    assert create_topics(place.kafka, [topic]) == [topic.name]
    assert create_topics(place.kafka, [topic]) == []


def test_more_replicas_than_brokers_is_a_wrong_setting(place: Place) -> None:
    kafka = place.kafka.model_copy(update={"replication_factor": 3})
    with pytest.raises(ConfigurationError, match=r"kafka\.replication_factor=3"):
        create_topics(kafka, [Topic(f"{place.name}-replicated")])
