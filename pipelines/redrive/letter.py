"""A dead letter as it stands in the topic dead-letters, whatever headers it lacks."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pipelines import topics

REDRIVE_OF: Final = "redrive-of"
"""Header of all that a redrive makes: the offset of the letter in dead-letters."""

_OTHERS: Final = (topics.REDRIVE_TYPE.encode(), topics.REDRIVE_RECEIPT_TYPE.encode())
_MAX_DIGITS: Final = 18


class Source(NamedTuple):
    """The record whose bytes failed."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


class Letter(NamedTuple):
    """A letter.

    key:        the sensor id as bytes; None where it is not known
    value:      the bytes that failed; empty where only the letter's facts are wanted
    size:       how many they are
    byte_range: where they stood in the source; 0 and their length, where that is not told
    source:     None where they come from no topic of Kafka, or that is not told
    failed_us:  when they were received, microseconds since the epoch; else ``written_us``
    written_us: when the letter was written, by Kafka
    redrive_of: offset of the letter of which this is another try
    """

    partition: int
    offset: int
    key: bytes | None
    value: bytes
    size: int
    reason: str
    detail: str
    pipeline: str
    source: Source | None
    source_text: str
    byte_range: tuple[int, int]
    failed_us: int
    written_us: int
    code_version: str
    redrive_of: int | None
    headers: Mapping[str, bytes]

    @property
    def sensor_id(self) -> str | None:
        """The sensor id as text; what is not UTF-8 in it is U+FFFD."""
        return None if self.key is None else self.key.decode(errors="replace")

    def facts(self) -> dict[str, Any]:
        """Return all but the bytes and the headers, as JSON says it."""
        return {
            "partition": self.partition,
            "offset": self.offset,
            "sensor_id": self.sensor_id,
            "reason": self.reason,
            "detail": self.detail,
            "pipeline": self.pipeline,
            "source": None if self.source is None else self.source._asdict(),
            "byte_range": list(self.byte_range),
            "failed_us": self.failed_us,
            "code_version": self.code_version,
            "bytes": self.size,
            "redrive_of": self.redrive_of,
        }

    @property
    def place(self) -> str:
        """How the command line names it: ``partition/offset``."""
        return f"{self.partition}/{self.offset}"


def is_letter(headers: Mapping[str, bytes]) -> bool:
    """Whether a record of dead-letters is a letter, not a request to redrive one or its receipt."""
    return headers.get(topics.CONTENT_TYPE) not in _OTHERS


def letter_of(
    partition: int,
    offset: int,
    key: bytes | None,
    value: bytes,
    headers: Mapping[str, bytes],
    timestamp_us: int,
) -> Letter:
    """Read a letter; ``timestamp_us`` is Kafka's time of it."""
    failed_us = number_of(headers.get("failed-us"))
    return Letter(
        partition,
        offset,
        key,
        value,
        len(value),
        reason=_text(headers, "reason"),
        detail=_text(headers, "detail"),
        pipeline=_text(headers, "pipeline"),
        source=_source(_text(headers, "source")),
        source_text=_text(headers, "source"),
        byte_range=_byte_range(headers.get("byte-range", b""), len(value)),
        failed_us=timestamp_us if failed_us is None else failed_us,
        written_us=timestamp_us,
        code_version=_text(headers, "code-version"),
        redrive_of=number_of(headers.get(REDRIVE_OF)),
        headers=headers,
    )


def _source(text: str) -> Source | None:
    topic, *numbers = text.rsplit("/", 2)
    if not topic or len(numbers) != 2 or not all(n.isdecimal() and n.isascii() for n in numbers):
        return None
    if any(len(number) > _MAX_DIGITS for number in numbers):
        return None
    return Source(topic, int(numbers[0]), int(numbers[1]))


def _byte_range(text: bytes, size: int) -> tuple[int, int]:
    start, _, end = text.partition(b"-")
    first, last = number_of(start), number_of(end)
    return (0, size) if first is None or last is None else (first, last)


def _text(headers: Mapping[str, bytes], name: str) -> str:
    return headers.get(name, b"").decode(errors="replace")


def number_of(text: bytes | None) -> int | None:
    """Read a header that is a number not below 0; None where it is not."""
    if text is None or not text.isdigit() or len(text) > _MAX_DIGITS:
        return None
    return int(text)
