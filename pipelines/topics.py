"""The ten Kafka topics: the one place where their names and settings stand."""

from dataclasses import dataclass, field

RAW = "imu-data-all"
TRANSFORMED = "sensor-data-transformed"
AGGREGATED = "sensor-data-aggregated"
SESSIONS = "new-session-topic"
PREDICTIONS = "sensor-data-predictions"
DEAD_LETTERS = "dead-letters"
CONTROL = "pipeline-control"
SENSOR_PROCESSING_CHANGELOG = "sensor-processing-changelog"
SESSION_AGGREGATION_CHANGELOG = "session-aggregation-changelog"
ML_INFERENCE_CHANGELOG = "ml-inference-changelog"

SESSION_WRITER = "session-writer"
ARCHIVE = "archive"
INPUT_OF: dict[str, str] = {
    "sensor-processing": RAW,
    "session-aggregation": AGGREGATED,
    "ml-inference": TRANSFORMED,
}
"""What each pipeline with a changelog reads."""

SINKS: dict[str, tuple[str, ...]] = {
    SESSION_WRITER: (SESSIONS,),
    ARCHIVE: (RAW, TRANSFORMED, AGGREGATED, PREDICTIONS, SESSIONS, DEAD_LETTERS),
}
"""The pipelines that end outside Kafka, and what they read; how far they are stands in the offsets
of their consumer groups. Every other pipeline has a changelog."""

PARTITIONS = 10
"""Partitions of every data topic. It never changes after creation: a sensor's partition is
``murmur2(sensor_id) mod 10``, and all its state lives there."""

# The values of the header `content-type`, which every record of ours carries.
CONTENT_TYPE = "content-type"
FRAMES_TYPE = "application/vnd.imustream.frames"
TICK_TYPE = "application/vnd.imustream.tick+json"
ARROW_TYPE = "application/vnd.apache.arrow.stream"
JSON_TYPE = "application/json"
REDRIVE_TYPE = "application/vnd.imustream.redrive"
"""A request in dead-letters to step a letter again: it holds the letter's bytes."""
REDRIVE_RECEIPT_TYPE = "application/vnd.imustream.redrive-receipt+json"
"""What the slot did with such a request, in dead-letters too."""

_DAY_MS = 24 * 60 * 60 * 1000
MAX_MESSAGE_BYTES = 1_048_576


@dataclass(frozen=True)
class Topic:
    """A topic with the settings that differ from the broker's own."""

    name: str
    partitions: int = PARTITIONS
    config: dict[str, str] = field(default_factory=dict)


def _kept_for(days: int) -> dict[str, str]:
    return {"cleanup.policy": "delete", "retention.ms": str(days * _DAY_MS)}


# Small segments and an early cleaner keep what a restarting slot must read back short.
_COMPACTED = {
    "cleanup.policy": "compact",
    "segment.bytes": str(8 * 1024 * 1024),
    "segment.ms": "600000",
    "min.cleanable.dirty.ratio": "0.2",
    "max.compaction.lag.ms": "900000",
}

TOPICS: tuple[Topic, ...] = (
    Topic(RAW, config=_kept_for(7)),
    Topic(TRANSFORMED, config=_kept_for(1)),
    Topic(AGGREGATED, config=_kept_for(7)),
    Topic(SESSIONS, config=_kept_for(30)),
    Topic(PREDICTIONS, config=_kept_for(1)),
    Topic(DEAD_LETTERS, config=_kept_for(30)),
    Topic(CONTROL, partitions=1, config=_COMPACTED),
    Topic(SENSOR_PROCESSING_CHANGELOG, config=_COMPACTED),
    Topic(SESSION_AGGREGATION_CHANGELOG, config=_COMPACTED),
    Topic(ML_INFERENCE_CHANGELOG, config=_COMPACTED),
)
