"""The record in dead-letters that asks for a redrive: the letter's bytes, and where they are from.

It stands in the letter's own partition. To all who read dead-letters without knowing of redrives it
looks like a letter whose ``source`` is the letter.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from pipelines import topics
from pipelines.records import Headers
from pipelines.redrive.letter import Letter, number_of

REASON: Final = "redrive_requested"
MOST_ASKER_CHARACTERS: Final = 200

_TYPE: Final = topics.REDRIVE_TYPE.encode()


class RedriveRequest(NamedTuple):
    """A letter to be stepped again.

    offset:        of the request in dead-letters
    letter:        offset of the letter in the same partition
    key:           the sensor id, in UTF-8
    value:         the letter's bytes
    source_offset: of the record of the pipeline's input that held them
    start:         where they began in that record
    failed_us:     when that record was received, microseconds since the epoch
    """

    offset: int
    letter: int
    key: bytes
    value: bytes
    source_offset: int
    start: int
    failed_us: int


class BadRequest(NamedTuple):
    """A request that nobody can follow; ``letter`` is -1 where even that cannot be read."""

    offset: int
    letter: int
    why: str


def request_headers(letter: Letter, asked_by: str, asked_us: int) -> Headers:
    """Return the headers of the request to redrive ``letter``.

    Args:
        letter: one that can be redriven, so that it has a source.
        asked_by: who asks, for the record.
        asked_us: when, microseconds since the epoch.
    """
    assert letter.source is not None
    return [
        ("reason", REASON.encode()),
        ("detail", f"asked for by {asked_by[:MOST_ASKER_CHARACTERS]}".encode()),
        ("pipeline", letter.pipeline.encode()),
        ("source", f"{topics.DEAD_LETTERS}/{letter.partition}/{letter.offset}".encode()),
        ("failed-us", b"%d" % asked_us),
        ("letter", b"%d" % letter.offset),
        ("letter-source", str(letter.source).encode()),
        ("letter-start", b"%d" % letter.byte_range[0]),
        ("letter-failed-us", b"%d" % letter.failed_us),
        (topics.CONTENT_TYPE, _TYPE),
    ]


def is_request(headers: Mapping[str, bytes]) -> bool:
    """Whether a record of dead-letters asks for a redrive."""
    return headers.get(topics.CONTENT_TYPE) == _TYPE


def read_request(
    offset: int,
    key: bytes | None,
    value: bytes,
    headers: Mapping[str, bytes],
    input_place: str,
) -> RedriveRequest | BadRequest:
    """Read a request; ``input_place`` is ``topic/partition`` of the pipeline's input."""
    letter = number_of(headers.get("letter"))
    if letter is None:
        return BadRequest(offset, -1, "the request names no letter")
    place, _, source = headers.get("letter-source", b"").rpartition(b"/")
    numbers = [number_of(source)]
    numbers += [number_of(headers.get(name)) for name in ("letter-start", "letter-failed-us")]
    source_offset, start, failed_us = numbers
    if source_offset is None or start is None or failed_us is None or key is None:
        return BadRequest(offset, letter, "the request does not say where the bytes come from")
    if place != input_place.encode():
        found = place.decode(errors="replace")
        return BadRequest(offset, letter, f"its bytes are of {found}, not of {input_place}")
    return RedriveRequest(offset, letter, key, value, source_offset, start, failed_us)
