"""Refuses a request body above a limit, also one that comes in chunks without saying its size."""

from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.problems import problem


class _TooLargeError(HTTPException):
    """Passes through the routes as the 413 that it is."""


class BodyLimit:
    """Reads no more of a body than ``max_bytes``."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 413 (400 where its length is no number)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdecimal():
            await problem(HTTPStatus.BAD_REQUEST, "Content-Length is no number.")(
                scope, receive, send
            )
            return
        read_bytes = 0
        started = False

        async def receive_bounded() -> Message:
            nonlocal read_bytes
            message = await receive()
            read_bytes += len(message.get("body", b""))
            if read_bytes > self._max_bytes:
                raise self._too_large()
            return message

        async def send_noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            if int(length) > self._max_bytes:
                raise self._too_large()
            await self._app(scope, receive_bounded, send_noted)
        except _TooLargeError as error:
            if started:
                raise
            # What is left of the body is not read: the connection cannot serve another request.
            answer = problem(error.status_code, error.detail, {"Connection": "close"})
            await answer(scope, receive, send)

    def _too_large(self) -> _TooLargeError:
        return _TooLargeError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"The request body is larger than {self._max_bytes} bytes (serve.max_body_bytes).",
        )
