"""Sessions over REST: a list, page by page, and each by its id."""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field

from pipelines.errors import DataError
from serve.session_query import MOST_A_PAGE, SessionQuery, State
from serve.session_reader import SessionReader

_BOUND = 2**63 - 1


class SessionSummary(BaseModel):
    """A session at its latest event; times in microseconds since the epoch, by the device."""

    model_config = ConfigDict(extra="allow")

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

    sessions: list[SessionSummary]
    next: str | None = Field(description="The `cursor` of the next page; null at the end.")


def session_routes(reader: SessionReader) -> APIRouter:
    """Return the routes `/api/v1/sessions` and `/api/v1/sessions/{session_id}`."""
    router = APIRouter(prefix="/api/v1/sessions")

    @router.get("", summary="Sessions, the one that started last first")
    async def sessions(
        sensor: Annotated[
            str | None, Query(description="Only of this sensor.", max_length=64)
        ] = None,
        state: Annotated[State | None, Query(description="Only open or closed ones.")] = None,
        since_us: Annotated[
            int | None,
            Query(description="Only those that started then or later.", ge=-_BOUND, le=_BOUND),
        ] = None,
        limit: Annotated[int, Query(description="Sessions a page.", ge=1, le=MOST_A_PAGE)] = 50,
        cursor: Annotated[str | None, Query(description="`next` of the page before.")] = None,
    ) -> SessionsReport:
        query = SessionQuery(sensor, state, since_us, limit, cursor)
        try:
            page = await reader.page(query)
        except DataError as error:
            raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
        return SessionsReport.model_validate({"sessions": page.sessions, "next": page.next})

    @router.get("/{session_id}", summary="One session")
    async def session(session_id: str) -> SessionSummary:
        found = await reader.session(session_id)
        if found is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no session {session_id!r}")
        return SessionSummary.model_validate(found)

    return router
