"""The first stages of a sample that was found: the device, MQTT, Kafka, transformed."""

from typing import Any

from cluster.trace.frame_search import RawFrame, frame_with, frames_between
from cluster.trace.locate import Located
from cluster.trace.moment import clock
from cluster.trace.sources import US, Sources
from cluster.trace.stage import Stage, State
from cluster.trace.where import Where
from pipelines import topics
from pipelines.archive.record import Record
from pipelines.batching import received_us
from pipelines.sinks.sink_offsets import Place

COPIES_WITHIN_S = 10.0
"""How long after a frame a copy of it is looked for."""


def reception_us(record: Record) -> int:
    """Return when the bridge received a raw record's message."""
    return received_us(record.headers.items(), record.timestamp_us)


def raw_stage(found: RawFrame, partition: int, copies: list[int]) -> Stage:
    """Return what is said of the raw record of a frame. Pure."""
    record, frame = found
    facts: dict[str, Any] = {
        "mqtt_topic": record.headers.get("mqtt-topic", b"").decode(errors="replace"),
        "bytes": len(record.value),
        "first_sample": frame.base_sample_number,
        "samples": frame.num_samples,
        "device_us": frame.timestamp_us,
        "copies": copies,
    }
    last = frame.base_sample_number + frame.num_samples - 1
    words = (
        f"received by the bridge from {facts['mqtt_topic'] or 'MQTT'}: samples "
        f"{frame.base_sample_number} to {last} from {clock(frame.timestamp_us)} by its own clock, "
        f"{len(record.value):,} B"
    )
    if copies:
        words += f"; came again as {', '.join(map(str, copies))}: counted as duplicates"
    place = f"{topics.RAW}/{partition}/{record.offset}"
    return Stage("mqtt", State.HERE, words, place, reception_us(record), facts)


def reception(sources: Sources, found: Located) -> Stage:
    """Return the stage of the raw record that brought a sample.

    Raises:
        UnavailableError: Kafka or the archive's store does not answer.
    """
    place = Place(topics.RAW, found.partition)
    record = None
    if sources.where is not Where.ARCHIVE:
        record = sources.kafka.record(place, found.raw_offset)
    if record is not None:
        frame = frame_with(record, found.sample, sources.rate_hz)
        if frame is not None:
            return raw_stage(frame, found.partition, _copies(sources, found, record))
    if sources.where is not Where.KAFKA:
        file = _archived_file(sources, place, found)
        row = None if file is None else sources.archive.row_at(file, found.raw_offset)
        if row is not None:
            words = f"received by the bridge, {len(row['value']):,} B; found in the archive"
            facts = {"bytes": len(row["value"]), "device_us": row["timestamp_us"], "copies": []}
            return Stage("mqtt", State.HERE, words, found.trace_id, row["received_us"], facts)
    words = "received by the bridge; Kafka no longer has the record, nor does the archive"
    return Stage("mqtt", State.UNKNOWN, words, found.trace_id)


def _archived_file(sources: Sources, place: Place, found: Located) -> str | None:
    """Return the file with the raw record, whose hour is that of its first sample."""
    longest_us = round(65_535 / sources.rate_hz * US)
    for event_us in (found.timestamp_us, found.timestamp_us - longest_us):
        path = sources.archive.file_of(place, found.raw_offset, event_us)
        if path is not None:
            return path
    return None


def _copies(sources: Sources, found: Located, record: Record) -> list[int]:
    """Return the offsets of raw records that brought the sample once more, soon after."""
    place = Place(topics.RAW, found.partition)
    end = sources.kafka.offset_at(place, record.timestamp_us + round(COPIES_WITHIN_S * US))
    between = (place, found.raw_offset + 1, end)
    again = frames_between(sources.kafka, found.sensor_id, found.sample, sources.rate_hz, between)
    return [one.record.offset for one in again if _same_line(one, found, sources.rate_hz)]


def _same_line(one: RawFrame, found: Located, rate_hz: float) -> bool:
    """Whether a frame with a sample's number has that sample, not one of another boot."""
    number = found.sample - one.frame.base_sample_number
    return abs(one.frame.timestamp_us + number * US / rate_hz - found.timestamp_us) < US / rate_hz


def transformed_stage(found: Located) -> Stage:
    """Return what is said of the transformed sample. Pure."""
    facts = {
        "boot": found.boot,
        "timestamp_us": found.timestamp_us,
        "late": found.late,
        "raw_offset": found.raw_offset,
        **{
            name: found.sighting.row[name]
            for name in ("accl_mag", "gyro_mag", "temp_raw")
            if name in found.sighting.row
        },
    }
    words = (
        f"boot {found.boot}, taken {clock(found.timestamp_us)} by its own clock, "
        f"{facts['accl_mag']:.3f} g, {facts['gyro_mag']:.3f} rad/s"
    )
    if found.late:
        words += "; late: its window was closed already"
    place = f"{topics.TRANSFORMED}/{found.partition}/{found.sighting.offset}"
    return Stage("transformed", State.HERE, words, place, found.sighting.written_us, facts)
