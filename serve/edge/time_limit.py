"""Answers a request that takes too long, and one that fails unexpectedly, with a problem."""

import asyncio
import logging
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.edge.request_id import request_id_of
from serve.problems import problem

log = logging.getLogger(__name__)


class TimeLimit:
    """Cancels what is still under way after ``timeout_s``, reading the body included."""

    def __init__(self, app: ASGIApp, timeout_s: float) -> None:
        self._app = app
        self._timeout_s = timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; answer 504 when it takes too long, 500 when it fails."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            async with asyncio.timeout(self._timeout_s):
                await self._app(scope, receive, send_noted)
            return
        except TimeoutError:
            if started:
                raise
            answer = problem(
                HTTPStatus.GATEWAY_TIMEOUT,
                f"No answer within {self._timeout_s:g} s (serve.request_timeout_s). If it was to "
                "change something, look whether it did before you try again.",
            )
        except Exception:
            if started:
                raise
            request_id = request_id_of(scope)
            about = {"request_id": request_id, "method": scope["method"], "path": scope["path"]}
            log.exception("a request failed", extra=about)
            answer = problem(
                HTTPStatus.INTERNAL_SERVER_ERROR,
                f"This failed unexpectedly; the log of api says why, under request {request_id}.",
            )
        await answer(scope, receive, send)
