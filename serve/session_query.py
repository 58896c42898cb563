"""Which sessions are asked for, as MongoDB is asked, page by page. Pure.

Pages go from the session that started last to the first. A cursor holds the start and the id of a
page's last session, so sessions that begin meanwhile neither shift nor double the others.
"""

import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from pipelines.sinks.session_documents import FIELD
from serve import cursors

State = Literal["open", "closed"]
MOST_A_PAGE = 500
ORDER = [(f"{FIELD}.start_us", -1), ("_id", -1)]
_SENSOR = f"{FIELD}.sensor_id"
_START = f"{FIELD}.start_us"
_END = f"{FIELD}.end_us"
_WILD = {"*": ".*", "?": "."}


class SessionQuery(NamedTuple):
    """All times are by the sensors' clocks.

    since_us: sessions that started then or later
    from_us:  sessions that had not ended by then
    to_us:    sessions that started before then
    within:   patterns of the sensors that whoever asks may see; None: all
    """

    sensor_id: str | None = None
    state: State | None = None
    since_us: int | None = None
    limit: int = 50
    cursor: str | None = None
    from_us: int | None = None
    to_us: int | None = None
    within: tuple[str, ...] | None = None


def conditions(query: SessionQuery) -> dict[str, Any]:
    """Return MongoDB's filter of a query.

    Raises:
        DataError: the cursor is not one of ours.
    """
    wanted: list[dict[str, Any]] = []
    if query.sensor_id is not None:
        wanted.append({_SENSOR: query.sensor_id})
    if query.within is not None:
        wanted.append(_one_of(query.within))
    if query.state is not None:
        wanted.append({f"{FIELD}.state": query.state})
    if query.since_us is not None:
        wanted.append({_START: {"$gte": query.since_us}})
    if query.from_us is not None:
        wanted.append({_END: {"$gt": query.from_us}})
    if query.to_us is not None:
        wanted.append({_START: {"$lt": query.to_us}})
    if query.cursor is not None:
        start_us, session_id = cursors.decode(query.cursor, (int, str))
        earlier = {_START: {"$lt": start_us}}
        wanted.append({"$or": [earlier, {_START: start_us, "_id": {"$lt": session_id}}]})
    return {"$and": wanted} if wanted else {}


def _one_of(patterns: Sequence[str]) -> dict[str, Any]:
    """Return the condition that a session is of a sensor that one of the patterns takes in.

    Only ``*`` and ``?`` are wild here, so that :meth:`serve.principal.Principal.may_see` has the
    last word on what is found.
    """
    plain = [pattern for pattern in patterns if not set(pattern) & set("*?")]
    wild = [pattern for pattern in patterns if pattern not in plain]
    conditions: list[dict[str, Any]] = [{_SENSOR: {"$in": plain}}]
    for pattern in wild:
        expression = "".join(_WILD.get(letter) or re.escape(letter) for letter in pattern)
        conditions.append({_SENSOR: {"$regex": f"^{expression}$"}})
    return {"$or": conditions}


def fields_of(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document's session with its id, as people are shown it."""
    return {"session_id": document["_id"], **document[FIELD]}


def cursor_after(session: dict[str, Any]) -> str:
    """Return the cursor of the page that follows a session."""
    return cursors.encode([session["start_us"], session["session_id"]])
