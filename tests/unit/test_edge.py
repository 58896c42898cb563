"""What stands around the routes of api: how much, how long, how often."""

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from pydantic import BaseModel
from starlette.testclient import TestClient

from pipelines.errors import ConfigurationError
from pipelines.settings import load_settings
from serve.edge.body_limit import BodyLimit
from serve.edge.client import client_key
from serve.edge.counters import MemoryCounters
from serve.edge.idempotency_key import fingerprint, key_fault, record_id
from serve.edge.rate_limit import RateLimit, RouteClass, class_of
from serve.edge.request_id import RequestId
from serve.edge.time_limit import TimeLimit
from serve.principal import SCOPE_KEY, Principal, Role
from serve.problems import report_problems

MAX_BYTES = 2_000
PROBLEM = "application/problem+json"


class Number(BaseModel):
    """A body."""

    number: float


def _app() -> FastAPI:
    app = FastAPI()
    bounds = load_settings(serve={"limit_change": "1000/hour", "limit_login": "2/hour"}).serve
    app.add_middleware(TimeLimit, timeout_s=0.2)
    app.add_middleware(BodyLimit, max_bytes=MAX_BYTES)
    app.add_middleware(RateLimit, settings=bounds, counters=MemoryCounters())
    app.add_middleware(RequestId)
    report_problems(app)

    @app.post("/api/v1/number")
    async def number(body: Number) -> float:
        return 0.0

    @app.post("/api/v1/raw")
    async def raw(request: Request) -> int:
        return len(await request.body())

    @app.get("/api/v1/slow")
    async def slow() -> None:
        await asyncio.Event().wait()

    @app.get("/api/v1/broken")
    async def broken() -> None:
        raise RuntimeError("secret detail")

    @app.get("/login")
    async def login() -> None:
        return None

    return app


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(_app()) as running:
        yield running


def _chunks(count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield b"x" * 500


def test_a_body_above_the_bound_is_refused_also_in_chunks(client: TestClient) -> None:
    for body in (b"x" * (MAX_BYTES + 1), _chunks(5)):
        answer = client.post("/api/v1/raw", content=body)
        assert answer.status_code == 413
        assert answer.headers["content-type"] == PROBLEM
        assert "serve.max_body_bytes" in answer.json()["detail"]
    answer = client.post("/api/v1/number", content=_chunks(5))
    assert answer.status_code == 413
    assert client.post("/api/v1/raw", content=_chunks(4)).json() == MAX_BYTES


def test_a_length_that_is_no_number_is_refused(client: TestClient) -> None:
    for length in ("-1", "1e3", "x"):
        answer = client.post("/api/v1/raw", headers={"Content-Length": length})
        assert answer.status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        "[" * MAX_BYTES,
        '{"number":' * 190,
        '{"number": ' + "9" * 1_900 + "}",
        '{"number": 1e' + "9" * 50 + "}",
        '{"number": NaN, "number": "x"}',
        '{"number": "\\ud800"}',
        "",
        "null",
    ],
)
def test_a_json_bomb_is_the_clients_fault(client: TestClient, body: str) -> None:
    kind = {"Content-Type": "application/json"}
    answer = client.post("/api/v1/number", content=body, headers=kind)
    assert answer.status_code in (200, 400, 422)
    if answer.status_code != 200:
        assert answer.headers["content-type"] == PROBLEM


def test_what_takes_too_long_is_answered_and_what_fails_says_no_more_than_where_to_look(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    late = client.get("/api/v1/slow")
    assert (late.status_code, late.headers["content-type"]) == (504, PROBLEM)
    with caplog.at_level(logging.ERROR):
        broken = client.get("/api/v1/broken", headers={"X-Request-Id": "my-request"})
    assert (broken.status_code, broken.headers["content-type"]) == (500, PROBLEM)
    assert "secret detail" not in broken.text
    assert "my-request" in broken.json()["detail"]
    assert vars(caplog.records[-1])["request_id"] == "my-request"


def test_every_answer_has_an_id_that_is_the_clients_where_it_is_a_plain_one(
    client: TestClient,
) -> None:
    made = client.get("/api/v1/number").headers["x-request-id"]
    assert len(made) == 32
    for given, kept in (("abc-1", True), ("a b", False), ("x" * 65, False)):
        answer = client.get("/api/v1/number", headers={"X-Request-Id": given})
        assert (answer.headers["x-request-id"] == given) is kept


def test_who_asks_too_often_is_told_when_to_come_back(client: TestClient) -> None:
    answers = [client.get("/login") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].headers["ratelimit-policy"] == '"login";q=2;w=3600'
    assert answers[0].headers["ratelimit"].startswith('"login";r=1;t=')
    assert answers[2].headers["content-type"] == PROBLEM
    assert 3_590 <= int(answers[2].headers["retry-after"]) <= 3_600
    assert client.get("/api/v1/number").headers["ratelimit-policy"].startswith('"read"')


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("GET", "/login", RouteClass.LOGIN),
        ("GET", "/api/v1/sensors", RouteClass.READ),
        ("HEAD", "/api/v1/sensors", RouteClass.READ),
        ("PATCH", "/api/v1/sensors/a", RouteClass.CHANGE),
        ("POST", "/logout", RouteClass.CHANGE),
        ("BREW", "/", RouteClass.CHANGE),
        ("GET", "/js/main.js", None),
        ("GET", "/health/live", None),
    ],
)
def test_routes_are_counted_by_class(method: str, path: str, kind: RouteClass | None) -> None:
    assert class_of(method, path) is kind


def test_a_client_is_a_subject_or_an_address_and_one_ipv6_network_is_one_client() -> None:
    who = Principal("ada", Role.VIEWER, None, 0.0)

    def key(host: str, **scope: Any) -> str:
        return client_key({"client": (host, 1), **scope})

    assert key("10.0.0.1", **{SCOPE_KEY: who}) == "subject:ada"
    assert key("10.0.0.1") == "address:10.0.0.1"
    assert key("2001:db8::1") == key("2001:db8::ffff:2") == "address:2001:db8::"
    assert key("::ffff:10.0.0.1") == "address:::ffff:10.0.0.1"
    assert client_key({"client": None}) == "address:"


@pytest.mark.parametrize("rate", ["0/minute", "10 per minute", "10/day", "x"])
def test_a_rate_is_written_as_it_is_documented(rate: str) -> None:
    with pytest.raises(ConfigurationError, match=r"serve\.limit_read"):
        load_settings(serve={"limit_read": rate})


def test_no_request_meets_anothers_key() -> None:
    assert record_id("a", "bc") != record_id("ab", "c")
    base = fingerprint("POST", "/a", b"", b"x")
    others = [
        fingerprint("PUT", "/a", b"", b"x"),
        fingerprint("POST", "/b", b"", b"x"),
        fingerprint("POST", "/a", b"x", b""),
        fingerprint("POST", "/a", b"", b"y"),
    ]
    assert base not in others
    assert key_fault("a" * 255) is None
    for wrong in ("", "a" * 256, "a b", "ä"):
        assert key_fault(wrong) is not None


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    async def never() -> Any:
        yield b"{"
        await asyncio.Event().wait()

    async def scenario() -> httpx.Response:
        transport = httpx.ASGITransport(_app())
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            return await client.post("/api/v1/raw", content=never())

    assert asyncio.run(scenario()).status_code == 504
