"""Where a sink goes on in a partition, once what it still needs is seen to exist."""

import time

from confluent_kafka import Consumer

from pipelines.errors import PipelineStoppedError
from pipelines.kafka_clients import watermarks
from pipelines.sinks.sink_offsets import Mark, Place, group_of

_END_AWAITED_S = 10.0
_END_POLL_S = 0.1


def first_offset(consumer: Consumer, pipeline: str, place: Place, mark: Mark | None) -> int:
    """Return the offset to read from: the mark's, or the beginning of the log without one.

    Raises:
        PipelineStoppedError: the log does not hold that offset any more.
        KafkaException: the brokers did not answer.
    """
    low, high = watermarks(consumer, place.topic, place.partition)
    if mark is None:
        return low
    needed = mark.next_offset
    deadline = time.monotonic() + _END_AWAITED_S
    while high < needed and time.monotonic() < deadline:
        # A broker that has just become the leader learns of the last records with a delay.
        time.sleep(_END_POLL_S)
        low, high = watermarks(consumer, place.topic, place.partition)
    if low <= needed <= high:
        return needed
    raise PipelineStoppedError(
        f"{place.topic}/{place.partition}: {pipeline} must go on at offset {needed} and the log "
        f"holds {low} to {high}: records were deleted before it read them. Bring them back, or "
        f"delete the consumer group {group_of(pipeline)} to begin anew with what there is; then "
        "pause and resume the pipeline"
    )
