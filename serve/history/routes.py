"""A session's windows, samples and predictions over REST, to be replayed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any, NamedTuple

import orjson
from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from pipelines.errors import UnavailableError
from pipelines.settings import HistorySettings
from serve import cursors
from serve.history.extremes import LEAST_POINTS, Extremes
from serve.history.replay import Replay
from serve.history.shapes import (
    SAMPLE_COLUMNS,
    PredictionsReport,
    SampleColumn,
    SamplesReport,
    WindowsReport,
)
from serve.history.window_page import A_PAGE, MOST_A_PAGE, WindowPages
from serve.principal import Principal, principal_of
from serve.problems import declared
from serve.session_reader import SessionReader
from serve.sessions import SessionId, visible_session

MOST_POINTS = 10_000
_POINTS = 1_000
_BOUND = 2**63 - 1
_NUMPY = orjson.OPT_SERIALIZE_NUMPY
_FromUs = Annotated[
    int | None,
    Query(description="Only from then on, by the sensor's clock.", ge=-_BOUND, le=_BOUND),
]
_ToUs = Annotated[
    int | None,
    Query(description="Only before then, by the sensor's clock.", ge=-_BOUND, le=_BOUND),
]
_Points = Annotated[
    int, Query(description="At most so many points.", ge=LEAST_POINTS, le=MOST_POINTS)
]


class _Asked(NamedTuple):
    sensor_id: str
    from_us: int
    to_us: int


def history_routes(settings: HistorySettings, sessions: SessionReader, replay: Replay) -> APIRouter:
    """Return the routes below `/api/v1/sessions/{session_id}/`."""
    router = APIRouter(
        prefix="/api/v1/sessions/{session_id}", tags=["sessions"], responses=declared(404)
    )
    turns = _Turns(settings)

    async def asked(
        session_id: SessionId,
        principal: Annotated[Principal, Depends(principal_of)],
        from_us: _FromUs = None,
        to_us: _ToUs = None,
    ) -> _Asked:
        session = await visible_session(sessions, session_id, principal)
        begin_us = max(session["start_us"], session["start_us"] if from_us is None else from_us)
        end_us = min(session["end_us"], session["end_us"] if to_us is None else to_us)
        return _Asked(session["sensor_id"], begin_us, max(begin_us, end_us))

    of_session = Annotated[_Asked, Depends(asked)]

    @router.get("/windows", summary="A session's windows", response_model=WindowsReport)
    async def list_windows(
        of: of_session,
        limit: Annotated[int, Query(description="Windows a page.", ge=1, le=MOST_A_PAGE)] = A_PAGE,
        cursor: Annotated[
            str | None,
            Query(description="`next_cursor` of the page before.", max_length=cursors.LONGEST),
        ] = None,
    ) -> Response:
        """Both kinds, in the order of their starts; those of now are among them."""
        pages = WindowPages(limit, cursor)
        return await turns.answer(lambda: replay.windows(*of, pages))

    @router.get("/samples", summary="A session's samples, thinned", response_model=SamplesReport)
    async def list_samples(
        of: of_session,
        points: _Points = _POINTS,
        columns: Annotated[
            list[SampleColumn] | None, Query(description="Only these columns; by default all.")
        ] = None,
    ) -> Response:
        """Fewer columns show more of each: they share the points. No column's peak is lost."""
        wanted = tuple(dict.fromkeys(columns or SAMPLE_COLUMNS))
        span_us = (of.from_us, of.to_us)
        thinned = Extremes(wanted, *span_us, points)
        return await turns.answer(lambda: replay.samples(of.sensor_id, thinned, span_us))

    @router.get(
        "/predictions", summary="A session's predictions, thinned", response_model=PredictionsReport
    )
    async def list_predictions(of: of_session, points: _Points = _POINTS) -> Response:
        """What the model said of each sample, and which model it was. No peak is lost."""
        span_us = (of.from_us, of.to_us)
        return await turns.answer(lambda: replay.predictions(of.sensor_id, points, span_us))

    return router


class _Turns:
    """Lets so many answers be looked for at once as the settings say; the others wait a while."""

    def __init__(self, settings: HistorySettings) -> None:
        self._places = asyncio.Semaphore(settings.at_once)
        self._wait_s = settings.timeout_s

    async def answer(self, look: Callable[[], Any]) -> Response:
        async with self._place():
            found = await asyncio.to_thread(lambda: orjson.dumps(look(), option=_NUMPY))
        return Response(found, media_type="application/json")

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._wait_s):
                await self._places.acquire()
        except TimeoutError:
            raise UnavailableError(
                f"other answers are looked for, and none was done in {self._wait_s:g} s "
                "(setting history.at_once): try again"
            ) from None
        try:
            yield
        finally:
            self._places.release()
