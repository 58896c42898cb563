"""Counts HTTP requests and how long they take, by application and route."""

import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipelines import metrics
from pipelines.metric_kinds import KEPT

OTHER = "other"
"""The route of what no route takes, or a method that is none: names that clients choose."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_GONE = 499
"""The status of a request whose client went before the answer began, as nginx counts it."""


class HttpMetrics:
    """Stands around an application's routes, outside of all that may answer in their place."""

    def __init__(self, app: ASGIApp, application: str) -> None:
        self._app = app
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and count its answer."""
        if scope["type"] != "http" or not KEPT:
            await self._app(scope, receive, send)
            return
        status = _GONE

        async def send_noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        began_s = time.monotonic()
        try:
            await self._app(scope, receive, send_noted)
        finally:
            route = route_of(scope)
            method = scope["method"] if scope["method"] in _METHODS else OTHER
            metrics.HTTP_REQUESTS.add(1, self._application, route, method, status)
            metrics.HTTP_SECONDS.observe(time.monotonic() - began_s, self._application, route)


def route_of(scope: Scope) -> str:
    """Return the template of the route that took a request, as in `/api/v1/sensors/{id}`."""
    route: Any = scope.get("route")
    return str(getattr(route, "path", None) or OTHER)
