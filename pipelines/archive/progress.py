"""How far the archive is with each topic, as Kafka tells it."""

import time
from collections.abc import Mapping, Sequence

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from pipelines.kafka_clients import consumer_options, new_consumer, unavailable, watermarks
from pipelines.settings import Settings
from pipelines.sinks.sink_offsets import Mark, Place, group_of, read_marks
from pipelines.topics import ARCHIVE, PARTITIONS, SINKS

_OLDEST_WAIT_S = 10.0
_FETCH_BYTES = 16_384


class TopicProgress(msgspec.Struct):
    """One topic; counts are of all that was ever written.

    lag:             offsets that are not archived, markers of transactions among them
    oldest_us:       Kafka's time of the oldest record that is not archived; None where there is
                     none
    committed_us:    when the partition that waits longest was last committed; None where one never
                     was
    archived:        the offset below which all is archived, by partition
    """

    topic: str
    lag: int = 0
    oldest_us: int | None = None
    committed_us: int | None = None
    records: int = 0
    rows: int = 0
    files: int = 0
    bytes: int = 0
    archived: dict[int, int] = {}


def archive_progress(settings: Settings) -> list[TopicProgress]:
    """Return how far the archive is with each topic.

    Raises:
        UnavailableError: Kafka does not answer.
        DataError: an offset was committed by something else.
    """
    places = [Place(topic, p) for topic in SINKS[ARCHIVE] for p in range(PARTITIONS)]
    options = consumer_options(settings.kafka, group_of(ARCHIVE))
    options |= {"enable.partition.eof": True, "max.partition.fetch.bytes": _FETCH_BYTES}
    consumer = new_consumer(options)
    try:
        marks = read_marks(settings.kafka, consumer, places)
        begins = {place: watermarks(consumer, *place) for place in places}
        waiting = {}
        for place, (low, high) in begins.items():
            mark = marks.get(place)
            first = low if mark is None else max(low, mark.next_offset)
            if first < high:
                waiting[place] = (first, high)
        oldest_us = _oldest(consumer, waiting)
    except KafkaException as error:
        where = settings.kafka.bootstrap_servers
        raise unavailable(error, "asking how far the archive is", where) from None
    finally:
        consumer.close()
    return [
        _of_topic(topic, [p for p in places if p.topic == topic], marks, waiting, oldest_us)
        for topic in SINKS[ARCHIVE]
    ]


def _of_topic(
    topic: str,
    places: Sequence[Place],
    marks: Mapping[Place, Mark],
    waiting: Mapping[Place, tuple[int, int]],
    oldest_us: Mapping[Place, int],
) -> TopicProgress:
    progress = TopicProgress(topic)
    progress.lag = sum(waiting[p][1] - waiting[p][0] for p in places if p in waiting)
    progress.oldest_us = min((oldest_us[p] for p in places if p in oldest_us), default=None)
    mine = [marks[place] for place in places if place in marks]
    if len(mine) == len(places):
        progress.committed_us = min(mark.committed_us for mark in mine)
    for name in ("records", "rows", "files", "bytes"):
        setattr(progress, name, sum(mark.counts.get(name, 0) for mark in mine))
    progress.archived = {p.partition: marks[p].next_offset for p in places if p in marks}
    return progress


def _oldest(consumer: Consumer, waiting: Mapping[Place, tuple[int, int]]) -> dict[Place, int]:
    """Return Kafka's time of the first record that waits in each place, if one is there."""
    consumer.assign([TopicPartition(*place, first) for place, (first, _) in waiting.items()])
    unseen = set(waiting)
    found: dict[Place, int] = {}
    deadline = time.monotonic() + _OLDEST_WAIT_S
    while unseen and time.monotonic() < deadline:
        message = consumer.poll(1.0)
        if message is None:
            continue
        place = Place(message.topic() or "", message.partition() or 0)
        error = message.error()
        if error is not None and error.code() != KafkaError._PARTITION_EOF:
            raise KafkaException(error)
        if place in unseen:
            # The end where markers alone wait: no record does.
            if error is None:
                found[place] = message.timestamp()[1] * 1000
            unseen.remove(place)
            consumer.incremental_unassign([TopicPartition(*place)])
    return found
