"""Where a slot of the archive goes on, once what it needs is seen to exist."""

from collections.abc import Mapping, Sequence

from confluent_kafka import Consumer, KafkaException

from pipelines.archive.layout import parse_path, topic_prefix
from pipelines.archive.object_store import ObjectStore
from pipelines.errors import PipelineStoppedError
from pipelines.kafka_clients import unavailable, watermarks, watermarks_reaching
from pipelines.settings import Settings
from pipelines.sinks.sink_offsets import Mark, Place


def first_offsets(
    settings: Settings,
    consumer: Consumer,
    store: ObjectStore,
    marks: Mapping[Place, Mark],
    places: Sequence[Place],
) -> dict[Place, int]:
    """Return the first offset of each place to be read: its mark's, or the log's first.

    Raises:
        PipelineStoppedError: records were deleted before they were archived, or a place without
            a mark has files.
        UnavailableError: Kafka or the store does not answer.
    """
    new = [place for place in places if place not in marks]
    _stop_if_archived(settings, store, new)
    try:
        known = {
            place: _checked(settings, consumer, place, marks[place].next_offset)
            for place in places
            if place in marks
        }
        return known | {place: watermarks(consumer, *place)[0] for place in new}
    except KafkaException as error:
        where = settings.kafka.bootstrap_servers
        raise unavailable(error, "asking for offsets of the archive's topics", where) from None


def _checked(settings: Settings, consumer: Consumer, place: Place, needed: int) -> int:
    low, high = watermarks_reaching(consumer, *place, needed)
    if low <= needed <= high:
        return needed
    raise PipelineStoppedError(
        f"{place.topic}/{place.partition}: the archive must go on at offset {needed} and the log "
        f"holds {low} to {high}: records were deleted before they were archived. Bring them back; "
        f"or begin a new archive at {low}: pause the pipeline, set archive.url (now "
        f"{settings.archive.url}) to a new place, delete the consumer group imustream.archive, "
        "resume"
    )


def _stop_if_archived(settings: Settings, store: ObjectStore, new: Sequence[Place]) -> None:
    """Refuse to archive from the beginning what an archive is there of: it would be twice there."""
    for topic in sorted({place.topic for place in new}):
        partitions = {place.partition for place in new if place.topic == topic}
        for path, _ in store.files(topic_prefix(topic)):
            file = parse_path(path)
            if file is not None and file.range.partition in partitions:
                raise PipelineStoppedError(
                    f"{settings.archive.url} holds {path}, and Kafka does not know how far the "
                    "archive is: the consumer group imustream.archive was deleted or has expired, "
                    "or another Kafka cluster was archived there. To begin a new archive set "
                    "archive.url to a new place, or move the old files away; then pause and "
                    "resume the pipeline"
                )
