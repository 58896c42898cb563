"""How far each pipeline is behind its input, asked of Kafka."""

from collections.abc import Sequence

from confluent_kafka import Consumer, KafkaException

from pipelines.changelog import read_changelog
from pipelines.kafka_clients import consumer_options, new_consumer, unavailable, watermarks
from pipelines.settings import KafkaSettings
from pipelines.sinks.sink_offsets import Place, read_group_marks
from pipelines.topics import INPUT_OF, PARTITIONS, SINKS


def inputs_of(pipeline: str) -> list[Place]:
    """Return every partition that a pipeline reads."""
    topics = SINKS.get(pipeline) or (INPUT_OF[pipeline],)
    return [Place(topic, partition) for topic in topics for partition in range(PARTITIONS)]


def end_offsets(settings: KafkaSettings, places: Sequence[Place]) -> dict[Place, int]:
    """Return the offset after the last committed record of each partition.

    Raises:
        UnavailableError: the brokers did not answer.
    """
    consumer: Consumer = new_consumer(consumer_options(settings, "imustream.ends"))
    try:
        return {place: watermarks(consumer, *place)[1] for place in places}
    except KafkaException as error:
        raise unavailable(error, "asking for offsets", settings.bootstrap_servers) from None
    finally:
        consumer.close()


def next_offsets(settings: KafkaSettings, pipeline: str) -> dict[Place, int]:
    """Return the first offset that a pipeline has not done yet; what it never committed is absent.

    Raises:
        UnavailableError: the brokers did not answer.
        DataError: what it wrote cannot be read.
    """
    places = inputs_of(pipeline)
    if pipeline in SINKS:
        marks = read_group_marks(settings, pipeline, places)
        return {place: mark.next_offset for place, mark in marks.items()}
    saved = read_changelog(settings, f"{pipeline}-changelog", range(PARTITIONS))
    return {
        place: ledger.next_offset
        for place in places
        if (ledger := saved[place.partition].ledger) is not None
    }


def behind(settings: KafkaSettings, pipeline: str, ends: dict[Place, int]) -> list[Place]:
    """Return the partitions that a pipeline has not done up to ``ends``. Raises as above."""
    done = next_offsets(settings, pipeline)
    return [place for place, end in ends.items() if done.get(place, 0) < end]
