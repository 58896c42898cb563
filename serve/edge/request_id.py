"""Gives every request an id, which its answer, the logs and the audit log name."""

import re
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipelines.logs import log_context

HEADER = "X-Request-Id"
_SCOPE_KEY = "imustream.request_id"
_ACCEPTED = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class RequestId:
    """Takes the client's own id where it is a plain one, else makes one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Name a request and its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        request_id = given if _ACCEPTED.fullmatch(given) else uuid.uuid4().hex
        scope[_SCOPE_KEY] = request_id

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        with log_context(request_id=request_id):
            await self._app(scope, receive, send_named)


def request_id_of(scope: Scope) -> str:
    """Return the id of a request, empty where nobody gave it one."""
    return str(scope.get(_SCOPE_KEY, ""))
