"""Which sessions are asked for, as MongoDB is asked, page by page. Pure.

Pages go from the session that started last to the first. A cursor holds the start and the id of a
page's last session, so sessions that begin meanwhile neither shift nor double the others.
"""

import base64
import binascii
import json
from typing import Any, Literal, NamedTuple

from pipelines.errors import DataError
from pipelines.sinks.session_documents import FIELD

State = Literal["open", "closed"]
MOST_A_PAGE = 500
ORDER = [(f"{FIELD}.start_us", -1), ("_id", -1)]
_LONGEST_CURSOR = 1_024


class SessionQuery(NamedTuple):
    """``since_us``: sessions that started then or later, by their sensor's clock."""

    sensor_id: str | None = None
    state: State | None = None
    since_us: int | None = None
    limit: int = 50
    cursor: str | None = None


def conditions(query: SessionQuery) -> dict[str, Any]:
    """Return MongoDB's filter of a query.

    Raises:
        DataError: the cursor is not one of ours.
    """
    found: dict[str, Any] = {}
    if query.sensor_id is not None:
        found[f"{FIELD}.sensor_id"] = query.sensor_id
    if query.state is not None:
        found[f"{FIELD}.state"] = query.state
    if query.since_us is not None:
        found[f"{FIELD}.start_us"] = {"$gte": query.since_us}
    if query.cursor is not None:
        start_us, session_id = read_cursor(query.cursor)
        found["$or"] = [
            {f"{FIELD}.start_us": {"$lt": start_us}},
            {f"{FIELD}.start_us": start_us, "_id": {"$lt": session_id}},
        ]
    return found


def fields_of(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document's session with its id, as people are shown it."""
    return {"session_id": document["_id"], **document[FIELD]}


def cursor_after(session: dict[str, Any]) -> str:
    """Return the cursor of the page that follows a session."""
    place = json.dumps([session["start_us"], session["session_id"]], ensure_ascii=False)
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> tuple[int, str]:
    """Return the start and the id of the session that a page follows.

    Raises:
        DataError: it is not what :func:`cursor_after` made.
    """
    try:
        if len(cursor) > _LONGEST_CURSOR:
            raise ValueError
        padded = cursor + "=" * (-len(cursor) % 4)
        start_us, session_id = json.loads(base64.b64decode(padded, b"-_", validate=True))
        if type(start_us) is not int or abs(start_us) >= 2**63 or type(session_id) is not str:
            raise ValueError
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise DataError(
            "the cursor is none that this service gave: take `next` of the page before, or "
            "leave it out to begin with the newest"
        ) from None
    return start_us, session_id
