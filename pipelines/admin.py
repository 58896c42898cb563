"""Create the topics that are missing, and see that those there have the right partitions."""

from collections.abc import Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from pipelines.errors import ConfigurationError
from pipelines.kafka_clients import (
    LOGGER,
    REQUEST_TIMEOUT_S,
    client_options,
    kafka_error,
    unavailable,
)
from pipelines.settings import KafkaSettings
from pipelines.topics import TOPICS, Topic

_WHY_NOT_CONNECTED = (KafkaError._AUTHENTICATION, KafkaError._SSL)


def create_topics(settings: KafkaSettings, topics: Sequence[Topic] = TOPICS) -> list[str]:
    """Create what is missing of ``topics`` and return the names of those created.

    Raises:
        UnavailableError: the brokers did not answer.
        ConfigurationError: a topic has another number of partitions, or cannot be as we ask.
    """
    refusals: list[KafkaError] = []
    options: Any = client_options(settings, "imustream-admin")
    options["error_cb"] = refusals.append
    client = AdminClient(options, logger=LOGGER)
    present = _partitions(client, settings, refusals)
    for topic in topics:
        partitions = present.get(topic.name, topic.partitions)
        if partitions != topic.partitions:
            raise ConfigurationError(
                f"topic {topic.name} at Kafka {settings.bootstrap_servers} has {partitions} "
                f"partitions and must have {topic.partitions}: delete it, or use another cluster"
            )
    missing = [topic for topic in topics if topic.name not in present]
    if missing:
        _create(client, settings, missing)
    return [topic.name for topic in missing]


def _partitions(
    client: AdminClient, settings: KafkaSettings, refusals: list[KafkaError]
) -> dict[str, int]:
    try:
        metadata = client.list_topics(timeout=REQUEST_TIMEOUT_S)
    except KafkaException as error:
        # The answer tells of a time-out only; why no connection came about was reported apart.
        client.poll(0)
        named = [each for each in refusals if each.code() in _WHY_NOT_CONNECTED]
        cause = KafkaException(named[-1]) if named else error
        raise unavailable(cause, "listing topics", settings.bootstrap_servers) from None
    return {name: len(topic.partitions) for name, topic in metadata.topics.items()}


def _create(client: AdminClient, settings: KafkaSettings, missing: Sequence[Topic]) -> None:
    new = [
        NewTopic(
            topic.name,
            num_partitions=topic.partitions,
            replication_factor=settings.replication_factor,
            config={**topic.config, "min.insync.replicas": str(settings.min_insync_replicas)},
        )
        for topic in missing
    ]
    answers = client.create_topics(new, operation_timeout=REQUEST_TIMEOUT_S)
    for name, answer in answers.items():
        try:
            answer.result(timeout=2 * REQUEST_TIMEOUT_S)
        except KafkaException as error:
            _judge(error, name, settings)


def _judge(error: KafkaException, name: str, settings: KafkaSettings) -> None:
    """Accept that another process made the topic first; name what the operator can mend."""
    code = kafka_error(error).code()
    if code == KafkaError.TOPIC_ALREADY_EXISTS:
        return
    if code == KafkaError.INVALID_REPLICATION_FACTOR:
        raise ConfigurationError(
            f"topic {name} needs kafka.replication_factor={settings.replication_factor} and "
            f"Kafka {settings.bootstrap_servers} has fewer brokers: start more or lower it"
        ) from None
    raise unavailable(error, f"creating topic {name}", settings.bootstrap_servers) from None
