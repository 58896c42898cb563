"""Sessions over REST: a list, page by page, and each by its id."""

from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, HTTPException, Path, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from serve import cursors
from serve.etags import names, quoted, tag_of
from serve.principal import Principal, principal_of
from serve.problems import declared
from serve.session_query import MOST_A_PAGE, SessionQuery, State
from serve.session_reader import SessionReader

_BOUND = 2**63 - 1
_SESSION: dict[str, Any] = {
    "session_id": "sensor1_1767225600000000",
    "sensor_id": "sensor1",
    "revision": 4,
    "event": "closed",
    "state": "closed",
    "start_us": 1_767_225_600_000_000,
    "end_us": 1_767_225_640_000_000,
    "windows": 20,
    "samples": 8_000,
    "gaps": 0,
    "late": 0,
    "acc_mag_max": 2.1,
    "gyro_mag_max": 3.4,
    "velocity_windows": 20,
    "velocity_max": 1.6,
    "distance_m": 41.5,
    "first_boot": 0,
    "last_boot": 0,
    "closed_by": "silence",
    "through_offset": 57_310,
}
SessionId = Annotated[
    str,
    Path(
        description="The session's id, percent-encoded.",
        min_length=1,
        max_length=128,
        examples=[_SESSION["session_id"]],
    ),
]


class SessionSummary(BaseModel):
    """A session at its latest event; times in microseconds since the epoch, by the device."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [_SESSION]})

    session_id: str
    sensor_id: str
    revision: int
    event: str = Field(description="started, updated, closed, reopened or amended.")
    state: State
    start_us: int
    end_us: int
    windows: int
    samples: int
    gaps: int
    late: int
    acc_mag_max: float = Field(description="g")
    gyro_mag_max: float = Field(description="rad/s")
    velocity_max: float | None = Field(description="m/s; null without a velocity window.")
    distance_m: float | None = Field(description="m; null without a velocity window.")
    closed_by: Literal["gap", "silence"] | None


class SessionsReport(BaseModel):
    """A page of sessions, the one that started last first."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"sessions": [_SESSION], "next_cursor": None}]}
    )

    sessions: list[SessionSummary]
    next_cursor: str | None = Field(description="The `cursor` of the next page; null at the end.")


def session_routes(reader: SessionReader) -> APIRouter:
    """Return the routes `/api/v1/sessions` and `/api/v1/sessions/{session_id}`."""
    router = APIRouter(prefix="/api/v1/sessions", tags=["sessions"])

    @router.get("", summary="Sessions, the one that started last first")
    async def list_sessions(
        principal: Annotated[Principal, Depends(principal_of)],
        sensor: Annotated[
            str | None,
            Query(description="Only of this sensor.", max_length=64, examples=["sensor1"]),
        ] = None,
        state: Annotated[State | None, Query(description="Only open or closed ones.")] = None,
        since_us: Annotated[
            int | None,
            Query(description="Only those that started then or later.", ge=-_BOUND, le=_BOUND),
        ] = None,
        from_us: Annotated[
            int | None,
            Query(description="Only those that had not ended by then.", ge=-_BOUND, le=_BOUND),
        ] = None,
        to_us: Annotated[
            int | None,
            Query(description="Only those that started before then.", ge=-_BOUND, le=_BOUND),
        ] = None,
        limit: Annotated[int, Query(description="Sessions a page.", ge=1, le=MOST_A_PAGE)] = 50,
        cursor: Annotated[
            str | None,
            Query(description="`next_cursor` of the page before.", max_length=cursors.LONGEST),
        ] = None,
    ) -> SessionsReport:
        """`from_us` and `to_us` together: those that took place then, or partly."""
        query = SessionQuery(
            sensor, state, since_us, limit, cursor, from_us, to_us, principal.sensors
        )
        page = await reader.page(query)
        shown = [each for each in page.sessions if principal.may_see(each["sensor_id"])]
        return SessionsReport.model_validate({"sessions": shown, "next_cursor": page.next})

    @router.get(
        "/{session_id}",
        summary="One session",
        response_model=SessionSummary,
        responses={304: {"description": "It is as it was."}, **declared(404)},
    )
    async def get_session(
        session_id: SessionId,
        principal: Annotated[Principal, Depends(principal_of)],
        if_none_match: Annotated[str | None, Header(description="The `ETag` of before.")] = None,
    ) -> Response:
        """As its latest event left it; `revision` goes up with each."""
        session = SessionSummary.model_validate(
            await visible_session(reader, session_id, principal)
        )
        body = session.model_dump_json().encode()
        tag = tag_of(body)
        headers = {"ETag": quoted(tag), "Cache-Control": "private, no-cache"}
        if names(if_none_match, tag):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(body, media_type="application/json", headers=headers)

    return router


async def visible_session(
    reader: SessionReader, session_id: str, principal: Principal
) -> dict[str, Any]:
    """Return a session that whoever asks may see.

    Raises:
        HTTPException: 404, there is none, or none for them.
        UnavailableError: MongoDB does not answer.
    """
    found = await reader.session(session_id)
    if found is None or not principal.may_see(found["sensor_id"]):
        raise HTTPException(HTTPStatus.NOT_FOUND, f"There is no session {session_id!r}.")
    return found
