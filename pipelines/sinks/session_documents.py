"""From the events of new-session-topic to documents of MongoDB. Pure.

A session's document is ``{"_id": session_id, "session": {"revision": ..., ...}}``. It is written by
``$max`` on ``session``: BSON compares embedded documents field by field, ``revision`` comes first,
so the highest revision stays whatever writes come in whatever order, and each write is one atomic
update that asks for nothing but the ``_id``.
https://www.mongodb.com/docs/manual/reference/bson-type-comparison-order/#objects
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta

from pipelines.errors import DataError

NOT_A_SESSION: Final = "not_a_session"
REFUSED: Final = "refused_by_mongodb"

SESSIONS: Final = "sessions"
SENSORS: Final = "sensors"
"""The collections."""

FIELD: Final = "session"
"""The field of a session's document that holds all but its id."""

INDEXES: Final[Mapping[str, tuple[tuple[tuple[str, int], ...], ...]]] = {
    SESSIONS: (
        ((f"{FIELD}.start_us", -1), ("_id", -1)),
        ((f"{FIELD}.sensor_id", 1), (f"{FIELD}.start_us", -1), ("_id", -1)),
        ((f"{FIELD}.state", 1), (f"{FIELD}.start_us", -1), ("_id", -1)),
    ),
    SENSORS: ((("last_seen_us", -1),),),
}
"""The indexes of each collection: fields and their directions."""

_Count = Annotated[int, Meta(ge=0)]
_Many = Annotated[int, Meta(ge=1)]
_LONGEST_ID = 128


class SessionEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A record of new-session-topic; its form is ``schemas/session.schema.json``."""

    event: Literal["started", "updated", "closed", "reopened", "amended"]
    session_id: Annotated[str, Meta(min_length=1, max_length=_LONGEST_ID)]
    sensor_id: Annotated[str, Meta(min_length=1, max_length=64)]
    revision: _Many
    state: Literal["open", "closed"]
    start_us: int
    end_us: int
    windows: _Many
    samples: _Many
    gaps: _Count
    late: _Count
    acc_mag_max: float
    gyro_mag_max: float
    velocity_windows: _Count
    velocity_max: float | None
    distance_m: float | None
    first_boot: _Count
    last_boot: _Count
    closed_by: Literal["gap", "silence"] | None
    through_offset: _Count


class Place(NamedTuple):
    """Where an event came from: ``row`` in its batch, of which it is the event."""

    row: int
    event: SessionEvent


class Update(NamedTuple):
    """One update of one document: idempotent, and the same in whatever order it comes."""

    document_id: str
    change: dict[str, dict[str, Any]]


_DECODER = msgspec.json.Decoder(SessionEvent)


def read_event(key: bytes | None, value: bytes) -> SessionEvent:
    """Read a record's event.

    Raises:
        DataError: it is none; the message says where it differs.
    """
    try:
        event = _DECODER.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(str(error)) from None
    if key != event.sensor_id.encode():
        raise DataError(f"its key is not its sensor {event.sensor_id!r}")
    return event


def newest_last(events: Iterable[Place]) -> dict[str, list[Place]]:
    """Return the events of each session with the highest revision at the end.

    Of two with one revision the later in the batch counts; the first is left out.
    """
    of_session: dict[str, dict[int, Place]] = {}
    for place in events:
        event = place.event
        of_session.setdefault(event.session_id, {})[event.revision] = place
    return {
        session_id: [revisions[revision] for revision in sorted(revisions)]
        for session_id, revisions in of_session.items()
    }


def session_update(event: SessionEvent) -> Update:
    """Return what brings a session's document to this event, unless it is further already."""
    fields = msgspec.structs.asdict(event)
    session_id, revision = fields.pop("session_id"), fields.pop("revision")
    return Update(session_id, {"$max": {FIELD: {"revision": revision, **fields}}})


def sensor_updates(events: Iterable[SessionEvent]) -> list[Update]:
    """Return what the events say of their sensors: when they were seen, by their own clocks.

    ``boots`` is how often a sensor's numbering restarted. Other fields are the users' own.
    """
    spans: dict[str, tuple[int, int, int]] = {}
    for event in events:
        first, last, boots = spans.get(
            event.sensor_id, (event.start_us, event.end_us, event.last_boot)
        )
        spans[event.sensor_id] = (
            min(first, event.start_us),
            max(last, event.end_us),
            max(boots, event.last_boot),
        )
    return [
        Update(
            sensor_id,
            {"$min": {"first_seen_us": first}, "$max": {"last_seen_us": last, "boots": boots}},
        )
        for sensor_id, (first, last, boots) in spans.items()
    ]
