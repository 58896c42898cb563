"""A frame's trace id, ``topic/partition/offset`` of its raw record: whose it is, which samples."""

from typing import NamedTuple

from cluster.trace.deadline import Deadline
from cluster.trace.kafka_search import KafkaSearch, When
from cluster.trace.wanted import rows_of_record
from pipelines import topics
from pipelines.errors import DataError, NotFoundError
from pipelines.payload_scanner import scan_any
from pipelines.settings import Settings
from pipelines.sinks.sink_offsets import Place

_READ_ON_US = 30_000_000


class FirstSample(NamedTuple):
    """The first sample of a frame; ``boot`` is None where the frame is not transformed."""

    sensor_id: str
    sample: int
    boot: int | None


def is_trace_id(text: str) -> bool:
    """Whether this is a trace id: a sensor's id never holds a slash."""
    return "/" in text


def first_sample(settings: Settings, trace_id: str, within_s: float) -> FirstSample:
    """Return the first sample of the frame with this id.

    Raises:
        DataError: it is no such id, or the record holds no good frame with samples.
        NotFoundError: Kafka does not have the record, any more or yet.
        UnavailableError: Kafka does not answer.
    """
    partition, offset = _parsed(trace_id)
    search = KafkaSearch(settings.kafka, Deadline(within_s))
    record = search.record(Place(topics.RAW, partition), offset)
    if record is None:
        raise NotFoundError(
            f"{trace_id} is not in Kafka, which keeps such records for 7 days; name the sensor "
            "and the sample instead: the archive can be looked into then"
        )
    frames, _ = scan_any(record.value, settings.processing.sample_rate_hz)
    sample = next((f.base_sample_number for f in frames if f.num_samples), None)
    if record.key is None or sample is None:
        raise DataError(
            f"{trace_id} holds no good frame with samples; `imustream dead-letters list` names "
            "it where it was refused"
        )
    sensor_id = record.key.decode(errors="replace")
    wanted = rows_of_record(sensor_id, offset)
    seen = search.find(wanted, When(record.timestamp_us, _READ_ON_US, sure=True))
    return FirstSample(sensor_id, sample, None if seen is None else seen.row["boot"])


def _parsed(trace_id: str) -> tuple[int, int]:
    topic, *numbers = trace_id.split("/")
    good = topic == topics.RAW and len(numbers) == 2 and all(map(str.isdecimal, numbers))
    if not good or int(numbers[0]) >= topics.PARTITIONS:
        raise DataError(
            f"{trace_id!r} is no frame's id: it is {topics.RAW}/PARTITION/OFFSET, as in "
            f"{topics.RAW}/3/918273"
        )
    return int(numbers[0]), int(numbers[1])
