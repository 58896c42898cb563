"""Who gets in, and who does not."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.requests import HTTPConnection

from pipelines.errors import ConfigurationError, DataError
from pipelines.settings import Settings, load_settings
from serve.auth import (
    COOKIE,
    Authenticator,
    login_link,
    new_login_code,
    new_ticket,
    new_token,
)
from serve.credential import Way
from serve.local_issuer import Kind, read_one_time
from serve.principal import Principal, Role
from serve.same_origin import from_another_page, from_own_page
from serve.signing_key import new_key_pem, signing_key

PEM = new_key_pem()


def _settings(pem: str | None = PEM, **auth: Any) -> Settings:
    return load_settings(auth={"signing_key": pem, **auth})


class Once:
    """Ids used once, in memory."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    async def use(self, jti: str, expires_s: float) -> None:
        """Use up an id."""
        if jti in self._used:
            raise DataError("it was used before")
        self._used.add(jti)


def _connection(
    headers: dict[str, str] | None = None,
    kind: str = "http",
    query: str = "",
    subprotocols: tuple[str, ...] = (),
) -> HTTPConnection:
    raw = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    scope = {"type": kind, "headers": raw, "query_string": query.encode()}
    return HTTPConnection({**scope, "subprotocols": list(subprotocols)})


def bearer(token: str) -> HTTPConnection:
    """A request with a token."""
    return _connection({"authorization": f"Bearer {token}"})


def admit(settings: Settings, *connections: HTTPConnection) -> list[tuple[Principal, Way]]:
    """Let connections in, one after the other."""

    async def admit_all() -> list[tuple[Principal, Way]]:
        authenticator = Authenticator(settings, Once())
        return [await authenticator.admit(connection) for connection in connections]

    return asyncio.run(admit_all())


def test_a_token_lets_in_as_a_cookie_and_as_a_bearer() -> None:
    token = new_token(_settings(), 1, Role.VIEWER, ("wrist-*",), "ada")
    headers = [
        {"cookie": f"{COOKIE}={token}"},
        {"authorization": f"Bearer {token}"},
        {"authorization": f"bearer {token}"},
    ]
    found = admit(_settings(), *map(_connection, headers))
    assert [way for _, way in found] == [Way.COOKIE, Way.BEARER, Way.BEARER]
    for principal, _ in found:
        assert (principal.subject, principal.role) == ("ada", Role.VIEWER)
        assert principal.may_see("wrist-1")
        assert not principal.may_see("ankle-1")


def test_a_websocket_also_brings_its_token_as_a_subprotocol() -> None:
    offered = ("imustream", f"bearer.{new_token(_settings(), 1)}")
    [(principal, way)] = admit(_settings(), _connection(kind="websocket", subprotocols=offered))
    assert (principal.role, way) == (Role.ADMIN, Way.BEARER)
    with pytest.raises(DataError, match="not logged in"):
        admit(_settings(), _connection(kind="http", subprotocols=offered))


def test_a_ticket_opens_one_websocket_and_ends_with_its_makers_log_in() -> None:
    maker = Principal("ada", Role.VIEWER, ("wrist-*",), 4_000_000_000.5)
    ticket = _connection(
        kind="websocket", query=f"ticket={new_ticket(_settings(), maker)}&max_hz=30"
    )
    assert admit(_settings(), ticket) == [(maker, Way.TICKET)]
    with pytest.raises(DataError, match=r"Your ticket is not valid: it was used before\."):
        admit(_settings(), ticket, ticket)


def test_a_ticket_is_for_websockets_alone() -> None:
    maker = Principal("ada", Role.VIEWER, None, 4e9)
    ticket = new_ticket(_settings(), maker)
    with pytest.raises(DataError, match="not logged in"):
        admit(_settings(), _connection(query=f"ticket={ticket}"))
    with pytest.raises(DataError, match="another purpose"):
        admit(_settings(), bearer(ticket))


def test_nobody_gets_in_without_a_token() -> None:
    for headers in ({}, {"authorization": "Basic eDp5"}, {"authorization": "Bearer "}):
        with pytest.raises(DataError, match=r"^You are not logged in\.$"):
            admit(_settings(), _connection(headers))


def test_a_token_that_another_key_signed_is_refused() -> None:
    token = new_token(_settings(new_key_pem()), 1)
    with pytest.raises(DataError, match="not signed by imustream"):
        admit(_settings(), bearer(token))


def test_an_expired_token_is_refused() -> None:
    with pytest.raises(DataError, match="expired"):
        admit(_settings(), bearer(new_token(_settings(), hours=-0.01)))


def _forged(algorithm: str, key: Any, **changes: Any) -> str:
    now = datetime.now(UTC)
    claims = {
        **{"iss": "imustream", "aud": "imustream", "sub": "eve", "role": "admin"},
        **{"iat": now, "exp": now + timedelta(hours=1), "jti": "1"},
        **changes,
    }
    return jwt.encode(claims, key, algorithm, {"typ": Kind.ACCESS.value})


def test_what_was_not_signed_with_our_algorithm_is_refused() -> None:
    private = signing_key(_settings().auth)
    public = private.public_key()
    raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert admit(_settings(), bearer(_forged("EdDSA", private)))
    for algorithm, key in (("HS256", raw), ("none", None)):
        with pytest.raises(DataError, match="not signed with EdDSA"):
            admit(_settings(), bearer(_forged(algorithm, key)))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"iss": "https://evil.example"}, "issuer 'https://evil.example' is not one"),
        ({"aud": "another"}, "another audience"),
        ({"role": "root"}, "no role 'root'"),
        ({"sensors": {"a": 1}}, "not a list"),
    ],
)
def test_our_own_signature_does_not_make_every_claim_good(
    changes: dict[str, Any], why: str
) -> None:
    with pytest.raises(DataError, match=why):
        admit(_settings(), bearer(_forged("EdDSA", signing_key(_settings().auth), **changes)))


def test_a_log_in_code_is_no_token_and_a_token_is_no_code() -> None:
    with pytest.raises(DataError, match="another purpose"):
        admit(_settings(), bearer(new_login_code(_settings())))
    for kind in (Kind.LOGIN_CODE, Kind.TICKET):
        with pytest.raises(DataError, match="another purpose"):
            read_one_time(_settings().auth, new_token(_settings(), hours=1), kind)


def test_each_code_has_an_id_of_its_own() -> None:
    auth = _settings().auth
    codes = [read_one_time(auth, new_login_code(_settings()), Kind.LOGIN_CODE) for _ in range(3)]
    assert len({code.jti for code in codes}) == 3


@pytest.mark.parametrize("token", ["x", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "x" * 9_000])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(DataError, match="Your log-in is not valid"):
        admit(_settings(), bearer(token))


def test_without_a_key_every_request_is_refused_and_nothing_is_signed() -> None:
    token = new_token(_settings(), hours=1)
    with pytest.raises(DataError, match=r"auth\.signing_key is missing"):
        admit(_settings(None), bearer(token))
    with pytest.raises(ConfigurationError, match="IMUSTREAM_AUTH__SIGNING_KEY"):
        new_token(_settings(None), hours=1)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        new_login_code(_settings("no key"))


def test_the_link_is_one_a_browser_on_this_machine_can_open() -> None:
    settings = load_settings(auth={"signing_key": PEM}, serve={"host": "0.0.0.0", "port": 8001})
    assert login_link(settings).startswith("http://127.0.0.1:8001/login?code=")


@pytest.mark.parametrize(
    ("headers", "own", "another"),
    [
        ({"origin": "http://127.0.0.1:8000"}, True, False),
        ({"origin": "http://127.0.0.1:9000"}, False, True),
        ({"origin": "https://evil.example"}, False, True),
        ({"origin": "null"}, False, True),
        ({"origin": "http://[", "sec-fetch-site": "same-origin"}, False, True),
        ({"sec-fetch-site": "same-origin"}, True, False),
        ({"sec-fetch-site": "cross-site"}, False, False),
        ({"sec-fetch-site": "none"}, False, False),
        ({}, False, False),
    ],
)
def test_the_headers_tell_whose_page_asks(
    headers: dict[str, str], own: bool, another: bool
) -> None:
    headers = {"host": "127.0.0.1:8000", **headers}
    assert from_own_page(headers) is own
    assert from_another_page(headers) is another
