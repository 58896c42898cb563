"""Find what a connection logs in with. Pure."""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import NamedTuple
from urllib.parse import parse_qs

from starlette.requests import HTTPConnection

COOKIE = "imustream_login"
SUBPROTOCOL = "imustream"
BEARER_SUBPROTOCOL = "bearer."
TICKET = "ticket"


class Way(Enum):
    """How a credential came."""

    BEARER = "header"
    """In `Authorization` or a subprotocol: whoever sends it knows it."""
    TICKET = "ticket"
    """In the address of a WebSocket: good once."""
    COOKIE = "cookie"
    """A browser sends it by itself, for any page: the page's origin must be checked too."""


class Credential(NamedTuple):
    """A token or ticket, and how it came."""

    way: Way
    token: str


def credential_of(connection: HTTPConnection) -> Credential | None:
    """Return what a connection logs in with, or None.

    A WebSocket, whose headers a browser's script cannot set, may also carry its token as the
    subprotocol ``bearer.<token>`` or a one-time ticket in the query.
    """
    scope = connection.scope
    is_websocket = scope["type"] == "websocket"
    subprotocols: Sequence[str] = scope.get("subprotocols", ()) if is_websocket else ()
    query = scope.get("query_string", b"") if is_websocket else b""
    return _first(connection.headers, connection.cookies, subprotocols, query)


def _first(
    headers: Mapping[str, str],
    cookies: Mapping[str, str],
    subprotocols: Sequence[str],
    query: bytes,
) -> Credential | None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return Credential(Way.BEARER, token.strip())
    for name in subprotocols:
        if name.startswith(BEARER_SUBPROTOCOL):
            return Credential(Way.BEARER, name.removeprefix(BEARER_SUBPROTOCOL))
    if tickets := parse_qs(query.decode("latin-1")).get(TICKET):
        return Credential(Way.TICKET, tickets[0])
    if cookie := cookies.get(COOKIE):
        return Credential(Way.COOKIE, cookie)
    return None
