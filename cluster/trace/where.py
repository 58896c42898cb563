"""Where records are looked for."""

from enum import StrEnum


class Where(StrEnum):
    """What a trace looks into."""

    AUTO = "auto"
    """Kafka, and the archive for what Kafka no longer has."""
    KAFKA = "kafka"
    ARCHIVE = "archive"
