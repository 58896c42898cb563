"""Bounds how often one client may ask, by class of route.

The headers are those of https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/.
"""

from enum import StrEnum
from http import HTTPStatus

from limits import parse
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipelines.settings import ServeSettings
from serve.edge.client import client_key
from serve.edge.counters import Counters, Verdict
from serve.problems import problem
from serve.same_origin import changes_something


class RouteClass(StrEnum):
    """Routes that are counted together."""

    LOGIN = "login"
    READ = "read"
    CHANGE = "change"


def class_of(method: str, path: str) -> RouteClass | None:
    """Return what a request is counted as; files of the pages are not counted."""
    if path == "/login":
        return RouteClass.LOGIN
    if changes_something(method):
        return RouteClass.CHANGE
    if path.startswith(("/api/", "/health/ready")):
        return RouteClass.READ
    return None


class RateLimit:
    """Answers 429 to who asks more often than the settings allow."""

    def __init__(self, app: ASGIApp, settings: ServeSettings, counters: Counters) -> None:
        self._app = app
        self._counters = counters
        self._rates = {
            RouteClass.LOGIN: settings.limit_login,
            RouteClass.READ: settings.limit_read,
            RouteClass.CHANGE: settings.limit_change,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it here."""
        kind = class_of(scope["method"], scope["path"]) if scope["type"] == "http" else None
        rate = self._rates[kind] if kind is not None else ""
        if kind is None or not rate:
            await self._app(scope, receive, send)
            return
        verdict = await self._counters.hit(rate, f"{kind} {client_key(scope)}")
        headers = _headers(kind, rate, verdict)
        if not verdict.allowed:
            detail = (
                f"This is more than {rate} (serve.limit_{kind}); try again in {verdict.reset_s} s."
            )
            headers["Retry-After"] = str(verdict.reset_s)
            answer = problem(HTTPStatus.TOO_MANY_REQUESTS, detail, headers)
            await answer(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                for name, value in headers.items():
                    answer[name] = value
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _headers(kind: RouteClass, rate: str, verdict: Verdict) -> dict[str, str]:
    item = parse(rate)
    return {
        "RateLimit-Policy": f'"{kind}";q={item.amount};w={item.get_expiry()}',
        "RateLimit": f'"{kind}";r={verdict.remaining};t={verdict.reset_s}',
    }
