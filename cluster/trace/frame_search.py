"""Seek the raw record whose frame brought a sample, and the dead letters that hold it."""

from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

from cluster.trace.kafka_search import KafkaSearch
from pipelines import topics
from pipelines.archive.record import Record
from pipelines.frame_format import FRAME_HEADER, MAGIC, PAYLOAD_HEADER
from pipelines.frame_scanner import FrameSpan
from pipelines.payload_scanner import scan_any
from pipelines.redrive.letter import Letter, is_letter, letter_of
from pipelines.sinks.sink_offsets import Place


class RawFrame(NamedTuple):
    """A good frame in a record of imu-data-all."""

    record: Record
    frame: FrameSpan


def frame_with(record: Record, sample: int, rate_hz: float) -> RawFrame | None:
    """Return the good frame of a record that has a sample of that number."""
    for frame in scan_any(record.value, rate_hz)[0]:
        if frame.base_sample_number <= sample < frame.base_sample_number + frame.num_samples:
            return RawFrame(record, frame)
    return None


def frames_between(
    search: KafkaSearch, sensor_id: str, sample: int, rate_hz: float, places: tuple[Place, int, int]
) -> Iterator[RawFrame]:
    """Yield the frames of a sensor that have a sample, among the raw records (place, start, end).

    Raises:
        UnavailableError: the brokers do not answer.
    """
    key = sensor_id.encode()
    with closing(search.records(*places)) as batches:
        for records in batches:
            for record in records:
                found = frame_with(record, sample, rate_hz) if record.key == key else None
                if found is not None:
                    yield found


def letters_between(
    search: KafkaSearch, sensor_id: str, start: int, end: int, partition: int
) -> Iterator[Letter]:
    """Yield the dead letters of a sensor in [start, end) of its partition; raises as above."""
    key = sensor_id.encode()
    with closing(search.records(Place(topics.DEAD_LETTERS, partition), start, end)) as batches:
        for records in batches:
            for record in records:
                if record.key == key and is_letter(record.headers):
                    yield letter_of(
                        partition,
                        record.offset,
                        record.key,
                        record.value,
                        record.headers,
                        record.timestamp_us,
                    )


def claims(letter: Letter, sample: int) -> bool:
    """Whether a letter's bytes begin as a frame that says it has a sample of that number.

    A broken frame may say anything; what it says is all there is.
    """
    head = FRAME_HEADER.size
    if letter.value[: len(MAGIC)] != MAGIC or len(letter.value) < head + PAYLOAD_HEADER.size:
        return False
    base, _, count = PAYLOAD_HEADER.unpack_from(letter.value, head)
    return bool(base <= sample < base + count)
