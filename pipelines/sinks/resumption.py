"""Where a sink goes on in a partition, once what it still needs is seen to exist."""

from confluent_kafka import Consumer

from pipelines.errors import PipelineStoppedError
from pipelines.kafka_clients import watermarks, watermarks_reaching
from pipelines.sinks.sink_offsets import Mark, Place, group_of


def first_offset(consumer: Consumer, pipeline: str, place: Place, mark: Mark | None) -> int:
    """Return the offset to read from: the mark's, or the beginning of the log without one.

    Raises:
        PipelineStoppedError: the log does not hold that offset any more.
        KafkaException: the brokers did not answer.
    """
    if mark is None:
        return watermarks(consumer, *place)[0]
    needed = mark.next_offset
    low, high = watermarks_reaching(consumer, *place, needed)
    if low <= needed <= high:
        return needed
    raise PipelineStoppedError(
        f"{place.topic}/{place.partition}: {pipeline} must go on at offset {needed} and the log "
        f"holds {low} to {high}: records were deleted before it read them. Bring them back, or "
        f"delete the consumer group {group_of(pipeline)} to begin anew with what there is; then "
        "pause and resume the pipeline"
    )
