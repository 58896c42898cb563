"""The gate over real HTTP and WebSocket requests: who passes it, and as whom."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket

from pipelines.errors import DataError, UnavailableError
from pipelines.settings import load_settings
from serve.auth import COOKIE, new_ticket, new_token
from serve.gate import Gate
from serve.principal import Principal, Role, principal_of
from serve.security_headers import content_policy
from serve.signing_key import new_key_pem

SETTINGS = load_settings(auth={"signing_key": new_key_pem()})
OWN = {"Origin": "http://testserver"}


class Once:
    """Ids used once, in memory; away when told."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self.away = False

    async def use(self, jti: str, expires_s: float) -> None:
        """Use up an id."""
        if self.away:
            raise UnavailableError("MongoDB does not answer")
        if jti in self._used:
            raise DataError("it was used before")
        self._used.add(jti)


async def _who(request: Request) -> JSONResponse:
    found = principal_of(request)
    policy = content_policy({"connect-src": ("ws://localhost:9001",)})
    shown = {"subject": found.subject, "role": found.role.name}
    return JSONResponse(shown, headers={"Content-Security-Policy": policy})


async def _stream(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_json({"subject": principal_of(websocket).subject})
    await websocket.close()


@pytest.fixture
def once() -> Once:
    return Once()


@pytest.fixture
def client(once: Once) -> Iterator[TestClient]:
    routes = [
        Route("/who", _who, methods=["GET", "POST"]),
        Route("/login", lambda _: JSONResponse({})),
        WebSocketRoute("/ws", _stream),
    ]
    app = Gate(Starlette(routes=routes), SETTINGS, used=once)
    with TestClient(app) as running:
        yield running


def _token(**changes: Any) -> str:
    return new_token(SETTINGS, 1, **changes)


def test_a_bearer_passes_whatever_page_it_comes_from(client: TestClient) -> None:
    headers = {"Authorization": f"Bearer {_token(subject='ada', role=Role.OPERATOR)}"}
    for more in ({}, {"Origin": "https://evil.example"}):
        answer = client.post("/who", headers={**headers, **more})
        assert answer.json() == {"subject": "ada", "role": "OPERATOR"}


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {}, 200),
        ("GET", {"Origin": "https://evil.example"}, 200),
        ("POST", OWN, 200),
        ("POST", {"Sec-Fetch-Site": "same-origin"}, 200),
        ("POST", {}, 403),
        ("POST", {"Origin": "https://evil.example"}, 403),
        ("POST", {"Origin": "null"}, 403),
        ("POST", {"Sec-Fetch-Site": "cross-site"}, 403),
        ("POST", {"Sec-Fetch-Site": "same-site"}, 403),
        ("POST", {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"}, 403),
        ("DELETE", {}, 403),
    ],
)
def test_a_cookie_changes_something_for_our_own_pages_alone(
    client: TestClient, method: str, headers: dict[str, str], status: int
) -> None:
    client.cookies.set(COOKIE, _token())
    answer = client.request(method, "/who", headers=headers)
    assert answer.status_code == status
    if status == 403:
        assert answer.headers["content-type"] == "application/problem+json"


def test_who_is_not_logged_in_is_told_why_and_nothing_of_it_runs_in_a_page(
    client: TestClient,
) -> None:
    forged = {"Authorization": "Bearer " + _token(subject="<script>alert(1)</script>") + "x"}
    for headers in ({}, {"Authorization": "Bearer x"}, forged):
        for accept in ("application/json", "text/html"):
            answer = client.get("/who", headers={**headers, "Accept": accept})
            assert answer.status_code == 401
            assert "<script" not in answer.text
    assert client.get("/login").status_code == 200
    assert client.get("/login/").status_code == 401
    assert client.get("//login").status_code == 401


def _subject(client: TestClient, path: str = "/ws", **options: Any) -> str:
    with client.websocket_connect(path, **options) as websocket:
        return str(websocket.receive_json()["subject"])


def _denied(client: TestClient, path: str = "/ws", **options: Any) -> int:
    with (
        pytest.raises(WebSocketDenialResponse) as denial,
        client.websocket_connect(path, **options),
    ):
        pass
    return int(denial.value.status_code)


def test_a_websocket_passes_with_a_subprotocol_and_is_answered_with_ours(
    client: TestClient,
) -> None:
    offered = ["imustream", f"bearer.{_token(subject='ada')}"]
    with client.websocket_connect("/ws", subprotocols=offered) as websocket:
        assert websocket.accepted_subprotocol == "imustream"
        assert websocket.receive_json() == {"subject": "ada"}


def test_a_websocket_passes_with_a_cookie_for_our_own_pages_alone(client: TestClient) -> None:
    client.cookies.set(COOKIE, _token(subject="ada"))
    assert _subject(client, headers=OWN) == "ada"
    for origin in ("https://evil.example", "null", "http://testserver:81"):
        assert _denied(client, headers={"Origin": origin}) == 403


def test_a_ticket_is_good_once(client: TestClient, once: Once) -> None:
    path = f"/ws?ticket={new_ticket(SETTINGS, Principal('ada', Role.VIEWER, None, 4e9))}"
    once.away = True
    assert _denied(client, path) == 503
    once.away = False
    assert _subject(client, path) == "ada"
    assert _denied(client, path) == 401


def test_a_websocket_of_a_stranger_is_refused_over_http(client: TestClient) -> None:
    assert _denied(client) == 401
    assert _denied(client, f"/ws?token={_token()}") == 401
    assert _denied(client, subprotocols=["imustream", "bearer.x"]) == 401


def test_a_page_may_load_what_it_alone_needs_besides(client: TestClient) -> None:
    headers = {"Authorization": f"Bearer {_token()}"}
    policy = client.get("/who", headers=headers).headers["content-security-policy"]
    assert "connect-src 'self' ws://localhost:9001" in policy
    answer = client.get("/login")
    assert "connect-src 'self';" in answer.headers["content-security-policy"]
    assert "accelerometer=(self)" in answer.headers["permissions-policy"]
    assert "strict-transport-security" not in answer.headers
    https = TestClient(client.app, base_url="https://testserver")
    assert "strict-transport-security" in https.get("/login").headers


def test_a_patterns_brackets_are_no_pattern() -> None:
    principal = Principal("ada", Role.VIEWER, ("imu[1]", "a?", "b*"), 0.0)
    seen = [s for s in ("imu[1]", "imu1", "ab", "abc", "bcd", "B") if principal.may_see(s)]
    assert seen == ["imu[1]", "ab", "bcd"]


def test_a_pattern_of_many_stars_is_quick() -> None:
    principal = Principal("eve", Role.VIEWER, ("*a" * 32,), 0.0)

    async def ask() -> bool:
        return await asyncio.wait_for(asyncio.to_thread(principal.may_see, "a" * 63 + "b"), 5)

    assert not asyncio.run(ask())
