"""Each of our programs does its work with the rights of its KafkaUser, and can do nothing else."""

from collections.abc import Iterator

import pytest
from confluent_kafka import KafkaError

from pipelines import topics
from pipelines.admin import create_topics
from pipelines.compacted import read_last_values
from pipelines.errors import ConfigurationError, TransactionAbortedError, UnavailableError
from pipelines.kafka_clients import new_producer, producer_options
from pipelines.transaction import Transactions
from tests.cluster.kafka_users import MANIFESTS, users_of
from tests.cluster.secured_stack import SecuredStack, secured_stack

CHANGELOG = topics.SENSOR_PROCESSING_CHANGELOG


@pytest.fixture(scope="module")
def kafka() -> Iterator[SecuredStack]:
    with secured_stack(users_of(MANIFESTS / "base" / "kafka" / "users.yaml"), ("kafka",)) as stack:
        yield stack


def test_our_settings_reach_kafka_over_tls_with_a_password(kafka: SecuredStack) -> None:
    assert create_topics(kafka.kafka("processors")) == []


def test_a_wrong_password_is_named(kafka: SecuredStack) -> None:
    wrong = kafka.kafka("processors").model_copy(update={"username": "nobody"})
    with pytest.raises(UnavailableError, match=r"kafka\.username"):
        create_topics(wrong)


def test_a_certificate_of_another_authority_is_named(kafka: SecuredStack) -> None:
    wrong = kafka.kafka("processors").model_copy(update={"tls_ca_file": None})
    with pytest.raises(UnavailableError, match=r"kafka\.tls_ca_file"):
        create_topics(wrong)


def test_who_may_not_make_topics_is_told_so(kafka: SecuredStack) -> None:
    other = [topics.Topic("another", partitions=1)]
    with pytest.raises((UnavailableError, ConfigurationError), match="KafkaUser"):
        create_topics(kafka.kafka("processors"), other)


@pytest.mark.parametrize(
    ("user", "topic"),
    [
        *(("bridge", topic.name) for topic in topics.TOPICS),
        *(("processors", topic.name) for topic in topics.TOPICS),
        *(("api", topic.name) for topic in topics.TOPICS),
    ],
)
def test_each_writes_only_what_it_makes(kafka: SecuredStack, user: str, topic: str) -> None:
    made = {
        "bridge": {topics.RAW, topics.DEAD_LETTERS},
        "processors": {each.name for each in topics.TOPICS} - {topics.RAW},
        "api": {topics.CONTROL, topics.DEAD_LETTERS},
    }
    assert may_write(kafka, user, topic) == (topic in made[user])


def may_write(kafka: SecuredStack, user: str, topic: str) -> bool:
    """Whether Kafka takes a record of this user."""
    answers: list[KafkaError | None] = []
    producer = new_producer(producer_options(kafka.kafka(user), "test"))
    # A key that no reader of the topic minds, and that compaction drops.
    producer.produce(topic, None, b"test", on_delivery=lambda error, _: answers.append(error))
    producer.flush(20)
    (answer,) = answers
    assert answer is None or answer.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    return answer is None


@pytest.mark.parametrize("topic", [topics.DEAD_LETTERS, topics.RAW, topics.CONTROL, CHANGELOG])
def test_the_bridge_reads_nothing(kafka: SecuredStack, topic: str) -> None:
    producer = new_producer(producer_options(kafka.stack.settings.kafka, "test"))
    producer.produce(topic, None, b"test", partition=0)
    assert producer.flush(20) == 0
    with pytest.raises(UnavailableError, match=r"KafkaUser|may see it"):
        read_last_values(kafka.kafka("bridge"), topic, [0])


@pytest.mark.parametrize("user", ["bridge", "api"])
def test_nobody_but_the_processors_can_fence_a_slot(kafka: SecuredStack, user: str) -> None:
    fencing = Transactions(kafka.kafka(user), "imustream.sensor-processing.1.0", 10)
    with pytest.raises(TransactionAbortedError, match="Transactional Id authorization failed"):
        fencing.open()
    who, what = f"User:{user} is Denied", "TransactionalId:LITERAL:imustream.sensor-processing.1.0"
    assert any(who in refusal and what in refusal for refusal in kafka.refusals())
