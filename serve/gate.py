"""The gate in front of every application: nobody passes without a log-in, and how answers look.

Plain ASGI, so that it stands before WebSockets too and costs a stream nothing.
"""

import html
from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple

from pymongo import AsyncMongoClient
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketClose

from pipelines.errors import DataError, UnavailableError
from pipelines.settings import Settings
from serve.auth import Authenticator
from serve.credential import SUBPROTOCOL, Way
from serve.mongo import Document, mongo_client
from serve.one_time import COLLECTION, OneTimeUse, UsedCodes
from serve.principal import SCOPE_KEY
from serve.problems import problem
from serve.same_origin import changes_something, from_another_page, from_own_page
from serve.security_headers import security_headers

OPEN_PATHS = frozenset({"/health/live", "/login"})
POLICY_VIOLATION = 1008

_DENIAL = "websocket.http.response"
"""ASGI's extension to answer a WebSocket's request over HTTP."""

Refused = Callable[[str, Headers], Response]


class _Refusal(NamedTuple):
    status: HTTPStatus
    why: str


class Gate:
    """Refuse whoever is not logged in; add the security headers to every answer."""

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        open_paths: frozenset[str] = OPEN_PATHS,
        refused: Refused | None = None,
        used: OneTimeUse | None = None,
    ) -> None:
        """Guard ``app``.

        A page that loads from elsewhere, as /device does from the MQTT broker, sets its own
        Content-Security-Policy, which :func:`serve.security_headers.content_policy` makes.

        refused: makes the answer to who is not logged in, from why and headers
        used: knows which tickets were used; by default MongoDB does
        """
        self._app = app
        self._open_paths = open_paths
        self._refused = refused or _refused
        self._mongo: AsyncMongoClient[Document] | None = None
        if used is None:
            self._mongo = mongo_client(settings)
            used = UsedCodes(self._mongo[settings.mongo.database][COLLECTION])
        self._authenticator = Authenticator(settings, used)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it here."""
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await self._lifespan(scope, receive, send)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        finally:
            if self._mongo is not None:
                await self._mongo.close()

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        send = _with_security_headers(scope, send)
        refusal = None if scope["path"] in self._open_paths else await self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send)
        elif refusal.status == HTTPStatus.UNAUTHORIZED:
            await self._refused(refusal.why, headers)(scope, receive, send)
        else:
            await _problem(refusal)(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = await self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, _with_subprotocol(scope, send))
        elif _DENIAL in scope.get("extensions", {}):
            await WebSocket(scope, receive, send).send_denial_response(_problem(refusal))
        else:
            # Closed before it was accepted, a WebSocket is answered with HTTP 403.
            await WebSocketClose(POLICY_VIOLATION)(scope, receive, send)

    async def _refusal(self, scope: Scope) -> _Refusal | None:
        """Return why a connection may not pass; who may is named in its scope."""
        connection = HTTPConnection(scope)
        try:
            principal, way = await self._authenticator.admit(connection)
        except DataError as error:
            return _Refusal(HTTPStatus.UNAUTHORIZED, str(error))
        except UnavailableError as error:
            return _Refusal(HTTPStatus.SERVICE_UNAVAILABLE, f"{error}.")
        if way is Way.COOKIE and _is_forged(scope, connection.headers):
            return _Refusal(
                HTTPStatus.FORBIDDEN,
                "A page of another site may not do this with your cookie; programs send "
                "`Authorization: Bearer` with a token.",
            )
        scope[SCOPE_KEY] = principal
        return None


def page(status: int, title: str, *paragraphs: str) -> Response:
    """Return a page of plain words; the paragraphs are HTML."""
    body = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    return HTMLResponse(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width">'
        '<meta name="color-scheme" content="light dark">'
        f"<main><h1>{title}</h1>{body}</main></html>",
        status,
        {"Cache-Control": "no-store"},
    )


def _is_forged(scope: Scope, headers: Headers) -> bool:
    """Whether a page of another site may be behind what a browser's cookie came with."""
    if scope["type"] == "websocket":
        return from_another_page(headers)
    return changes_something(scope["method"]) and not from_own_page(headers)


def _refused(why: str, headers: Headers) -> Response:
    if "text/html" in headers.get("accept", ""):
        return page(
            HTTPStatus.UNAUTHORIZED,
            "imustream: please log in",
            html.escape(why),
            "<code>imustream link</code> on the machine that runs imustream prints a link that "
            "logs this browser in. It works once, within 15 minutes.",
            "Have you just logged in? Then reload this page.",
        )
    return problem(
        HTTPStatus.UNAUTHORIZED,
        f"{why} Send `Authorization: Bearer` with a token, or log in with `imustream link`.",
        {"WWW-Authenticate": "Bearer"},
    )


def _problem(refusal: _Refusal) -> Response:
    headers = {
        HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": "Bearer"},
        HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "1"},
    }
    return problem(refusal.status, refusal.why, headers.get(refusal.status))


def _with_subprotocol(scope: Scope, send: Send) -> Send:
    """Answer a client that offers our subprotocol with it, as RFC 6455 asks a server to."""
    if SUBPROTOCOL not in scope.get("subprotocols", ()):
        return send

    async def send_with_subprotocol(message: Message) -> None:
        if message["type"] == "websocket.accept" and message.get("subprotocol") is None:
            message = {**message, "subprotocol": SUBPROTOCOL}
        await send(message)

    return send_with_subprotocol


def _with_security_headers(scope: Scope, send: Send) -> Send:
    added = security_headers(is_https=scope.get("scheme") == "https")

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer = MutableHeaders(scope=message)
            for name, value in added.items():
                answer.setdefault(name, value)
        await send(message)

    return send_with_headers
