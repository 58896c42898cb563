"""How Kafka's cluster is: its brokers, and whether every replica of our topics is in sync."""

import logging
from collections.abc import Iterator
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from cluster.monitoring.families import gauge
from pipelines import metrics
from pipelines.kafka_clients import LOGGER, client_options
from pipelines.settings import KafkaSettings
from pipelines.topics import TOPICS

log = logging.getLogger(__name__)

_TIMEOUT_S: Final = 2.0


class KafkaCluster(Collector):
    """Collects what the cluster's metadata say."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._admin = AdminClient(client_options(settings, "imustream-exporter"), logger=LOGGER)

    def collect(self) -> Iterator[Metric]:
        """Yield it; nothing where no broker answers, which the books say."""
        try:
            answer = self._admin.list_topics(timeout=_TIMEOUT_S)
        except KafkaException as error:
            log.warning("Kafka does not say how its cluster is: %s", error)
            return
        ours = [answer.topics[topic.name] for topic in TOPICS if topic.name in answer.topics]
        behind = sum(
            len(partition.isrs) < len(partition.replicas)
            for topic in ours
            for partition in topic.partitions.values()
        )
        brokers, replicas = gauge(metrics.KAFKA_BROKERS), gauge(metrics.KAFKA_UNDER_REPLICATED)
        brokers.add_metric([], len(answer.brokers))
        replicas.add_metric([], behind)
        yield brokers
        yield replicas
