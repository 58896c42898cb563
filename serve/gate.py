"""The gate in front of every application: nobody passes without a log-in, and how answers look.

Plain ASGI, so that it stands before WebSockets too and costs a stream nothing.
"""

from collections.abc import Callable
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from pipelines.settings import Settings
from serve.auth import admit, is_cross_site
from serve.principal import SCOPE_KEY, Principal
from serve.problems import problem

OPEN_PATHS = frozenset({"/health/live", "/login"})
POLICY_VIOLATION = 1008

_CONTENT_POLICY = (
    "default-src 'self'; img-src 'self' data:; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'; object-src 'none'"
)
_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Gate:
    """Refuse whoever is not logged in; add the security headers to every answer."""

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        open_paths: frozenset[str] = OPEN_PATHS,
        refused: Callable[[str, Headers], Response] | None = None,
    ) -> None:
        """Guard ``app``; ``refused`` makes the answer to who may not pass, from why and headers."""
        self._app = app
        self._settings = settings
        self._open_paths = open_paths
        self._refused = refused or _refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it here."""
        if scope["type"] == "websocket":
            if self._refusal(scope) or is_cross_site(Headers(scope=scope)):
                # Closed before it was accepted, a WebSocket is answered with HTTP 403.
                await WebSocketClose(POLICY_VIOLATION)(scope, receive, send)
            else:
                await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        send = _with_security_headers(send)
        why = "" if scope["path"] in self._open_paths else self._refusal(scope)
        if why:
            await self._refused(why, Headers(scope=scope))(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> str:
        """Return why a connection may not pass; who may is named in its scope."""
        connection = HTTPConnection(scope)
        found = admit(self._settings, connection.headers, connection.cookies)
        if isinstance(found, Principal):
            scope[SCOPE_KEY] = found
            return ""
        return found


def page(status: int, title: str, *paragraphs: str) -> Response:
    """Return a page of plain words."""
    body = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    return HTMLResponse(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width">'
        '<meta name="color-scheme" content="light dark">'
        f"<main><h1>{title}</h1>{body}</main></html>",
        status,
        {"Cache-Control": "no-store"},
    )


def _refused(why: str, headers: Headers) -> Response:
    if "text/html" in headers.get("accept", ""):
        return page(
            HTTPStatus.UNAUTHORIZED,
            "imustream: please log in",
            why,
            "<code>imustream link</code> on the machine that runs imustream prints a link that "
            "logs this browser in. It works once, within 15 minutes.",
            "Have you just logged in? Then reload this page.",
        )
    return problem(
        HTTPStatus.UNAUTHORIZED,
        f"{why} Send `Authorization: Bearer` with a token, or log in with `imustream link`.",
        {"WWW-Authenticate": "Bearer"},
    )


def _with_security_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            # A page that must reach further, as /device does the MQTT broker, says so itself.
            headers.setdefault("Content-Security-Policy", _CONTENT_POLICY)
            for name, value in _SECURITY_HEADERS.items():
                headers[name] = value
        await send(message)

    return send_with_headers
