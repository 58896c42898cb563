"""The events of new-session-topic and the documents of MongoDB, as the proof compares them. Pure.

Nothing here is the writer's code. One part of the sessions is held at a time, chosen by their ids,
so that memory has a bound whatever the number of sessions.
"""

import hashlib
import json
import zlib
from dataclasses import dataclass, field
from typing import Any

_NUMBERS = frozenset({"acc_mag_max", "gyro_mag_max", "velocity_max", "distance_m"})
"""Fields that JSON may write as 1 and BSON as 1.0."""

Version = tuple[int, bytes]
"""A revision, and a digest of all fields at it."""


def read_event(value: bytes) -> dict[str, Any] | None:
    """Return the fields of an event; None for what has no session, revision or sensor."""
    try:
        fields = json.loads(value)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    named = isinstance(fields.get("session_id"), str) and isinstance(fields.get("sensor_id"), str)
    return fields if named and isinstance(fields.get("revision"), int) else None


def document_fields(document: dict[str, Any]) -> dict[str, Any] | None:
    """Return the fields of the event that a document holds; None where it holds none."""
    session = document.get("session")
    if not isinstance(session, dict) or not isinstance(session.get("revision"), int):
        return None
    return {"session_id": document["_id"], **session}


def version_of(fields: dict[str, Any]) -> Version:
    """Return the revision of an event and the digest of what it says."""
    same = {
        name: float(value) if name in _NUMBERS and isinstance(value, int) else value
        for name, value in fields.items()
    }
    text = json.dumps(same, sort_keys=True, default=str).encode()
    return int(fields["revision"]), hashlib.blake2b(text, digest_size=16).digest()


def part_of(session_id: str, parts: int) -> int:
    """Return which of ``parts`` parts a session belongs to."""
    return zlib.crc32(session_id.encode(errors="surrogatepass")) % parts


@dataclass(slots=True)
class KnownSession:
    """What the topic says of one session.

    ``expected``: the highest revision that the writer says it has written
    ``possible``: what a document may hold beside it: events past the mark, and refused ones
    """

    partition: int
    offset: int
    expected: Version | None = None
    possible: set[Version] = field(default_factory=set)
    seen: bool = False

    def takes(self, version: Version, *, must: bool, offset: int) -> None:
        """Take in one event; ``must``: it is to be found unless a higher one is."""
        if not must:
            self.possible.add(version)
        elif self.expected is None or version[0] > self.expected[0]:
            self.expected, self.offset = version, offset

    def judge(self, found: Version) -> str | None:
        """Return what is wrong with a document of this session; None where nothing is."""
        if self.expected is None or found[0] > self.expected[0]:
            if found in self.possible:
                return None
            return f"MongoDB has revision {found[0]}, which no event of the topic has"
        if found[0] < self.expected[0]:
            return f"MongoDB has revision {found[0]}, the last event is revision {self.expected[0]}"
        if found != self.expected:
            return f"revision {found[0]} in MongoDB is not what its event says"
        return None
