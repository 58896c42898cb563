"""What must not work, over the real document database and the real stack's port."""

import asyncio
import contextlib
import re
import socket
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import ray
from fastapi import FastAPI
from fastapi.responses import Response
from serve_clients import WAIT_S, bearer, eventually, http
from starlette.testclient import TestClient
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from cluster.local.ray_head import ray_folder
from cluster.local.stack import Stack
from pipelines.secret_files import secret_paths
from pipelines.settings import Settings, load_settings
from serve.auth import COOKIE, new_login_code, new_token
from serve.edge import audit_log
from serve.edge.audit_log import AuditLog
from serve.edge.audit_routes import audit_routes
from serve.edge.counters import MemoryCounters
from serve.edge.layers import add_layers
from serve.edge.shared_counters import SharedCounters
from serve.identity_routes import identity_routes
from serve.login import login_routes
from serve.mongo import mongo_client
from serve.one_time import COLLECTION, UsedCodes
from serve.principal import Role
from serve.problems import report_problems
from serve.signing_key import new_key_pem

SIGNING_KEY = new_key_pem()


class Replica:
    """The layers and log-in routes of api around a route that counts how often it ran."""

    def __init__(self, mongo_uri: str, **serve: Any) -> None:
        self.settings = load_settings(
            mongo={"uri": mongo_uri}, auth={"signing_key": SIGNING_KEY}, serve=serve
        )
        self.ran = 0
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.app = self._app()

    def _app(self) -> FastAPI:
        client = mongo_client(self.settings)
        database = client["security"]

        @contextlib.asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[None]:
            yield
            await client.close()

        app = FastAPI(lifespan=lifespan)
        entries = AuditLog(database[audit_log.COLLECTION], keep_s=3_600)
        used = UsedCodes(database[COLLECTION])
        add_layers(
            app, self.settings, database, used=used, entries=entries, counters=MemoryCounters()
        )
        report_problems(app)
        for router in (
            login_routes(self.settings, used),
            identity_routes(self.settings),
            audit_routes(entries),
        ):
            app.include_router(router)

        @app.post("/api/v1/things/{name}", status_code=201)
        async def change(name: str, response: Response) -> dict[str, Any]:
            self.ran += 1
            await self.may_end.wait()
            if name == "away":
                return Response(status_code=503)  # type: ignore[return-value]
            response.headers["Location"] = f"/api/v1/things/{name}"
            return {"name": name, "ran": self.ran}

        return app

    def headers(self, key: str | None = None, **who: Any) -> dict[str, str]:
        """What a program sends: its token and perhaps an Idempotency-Key."""
        token = new_token(self.settings, 1, **who)
        return {
            "Authorization": f"Bearer {token}",
            **({} if key is None else {"Idempotency-Key": key}),
        }


@pytest.fixture(scope="module")
def replica(servers: Stack) -> Iterator[Replica]:
    found = Replica(servers.settings.mongo.uri.get_secret_value())
    with TestClient(found.app) as client:
        found.client = client  # type: ignore[attr-defined]
        yield found


@pytest.fixture
def client(replica: Replica) -> TestClient:
    found: TestClient = replica.client  # type: ignore[attr-defined]
    found.cookies.clear()
    return found


def _entries(client: TestClient, replica: Replica, **query: Any) -> list[dict[str, Any]]:
    answer = client.get("/api/v1/audit", params=query, headers=replica.headers())
    assert answer.status_code == 200, answer.text
    entries: list[dict[str, Any]] = answer.json()["entries"]
    return entries


def test_a_change_stands_in_the_audit_log_with_who_what_and_from_where(
    replica: Replica, client: TestClient
) -> None:
    headers = {**replica.headers(subject="ada", role=Role.OPERATOR), "X-Request-Id": "request-1"}
    assert client.post("/api/v1/things/a%20b", headers=headers).status_code == 201
    entry = _entries(client, replica, limit=1)[0]
    assert abs(entry.pop("at_us") / 1e6 - time.time()) < WAIT_S
    assert entry == {
        "subject": "ada",
        "role": "operator",
        "action": "POST /api/v1/things/{name}",
        "path": "/api/v1/things/a b",
        "status": 201,
        "client": "testclient",
        "request_id": "request-1",
        "idempotency_key": None,
    }


def test_the_audit_log_is_read_page_by_page_and_by_an_admin_alone(
    replica: Replica, client: TestClient
) -> None:
    for number in range(3):
        client.post(f"/api/v1/things/page-{number}", headers=replica.headers())
    paths, cursor = [], None
    while len(paths) < 3:
        query = {"limit": 1, **({} if cursor is None else {"cursor": cursor})}
        page = client.get("/api/v1/audit", params=query, headers=replica.headers()).json()
        paths += [entry["path"] for entry in page["entries"]]
        cursor = page["next_cursor"]
    assert paths == [f"/api/v1/things/page-{number}" for number in (2, 1, 0)]
    for role in (Role.VIEWER, Role.OPERATOR):
        refused = client.get("/api/v1/audit", headers=replica.headers(role=role))
        assert refused.status_code == 403
    for cursor in ("x", "$ne", "0" * 16):
        wrong = client.get("/api/v1/audit", params={"cursor": cursor}, headers=replica.headers())
        assert wrong.status_code == 422


def test_a_change_that_cannot_be_audited_does_not_happen() -> None:
    alone = Replica("mongodb://127.0.0.1:9/?directConnection=true")

    async def scenario() -> list[httpx.Response]:
        transport = httpx.ASGITransport(alone.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            asked = (alone.headers(), alone.headers(key="a-key"))
            posts = [client.post("/api/v1/things/a", headers=headers) for headers in asked]
            return await asyncio.gather(*posts)

    for answer in asyncio.run(scenario()):
        assert answer.status_code == 503
        assert "MongoDB does not answer" in answer.json()["detail"]
        assert "retry-after" in answer.headers
    assert alone.ran == 0


def test_a_repeated_request_gets_the_first_answer_and_is_not_run_again(
    replica: Replica, client: TestClient
) -> None:
    headers = replica.headers(key="repeat-1", subject="ada")
    first = client.post("/api/v1/things/a", headers=headers, content=b"body")
    ran = replica.ran
    again = client.post("/api/v1/things/a", headers=headers, content=b"body")
    assert replica.ran == ran
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert again.headers["x-content-type-options"] == "nosniff"
    for path, body in (("/api/v1/things/b", b"body"), ("/api/v1/things/a", b"other")):
        other = client.post(path, headers=headers, content=body)
        assert other.status_code == 422
    stranger = replica.headers(key="repeat-1", subject="eve")
    assert client.post("/api/v1/things/a", headers=stranger, content=b"other").status_code == 201
    assert replica.ran == ran + 1


def test_a_repeat_while_the_first_is_under_way_waits_for_nobody(
    replica: Replica, client: TestClient
) -> None:
    async def scenario() -> list[int]:
        slow = Replica(replica.settings.mongo.uri.get_secret_value())
        slow.may_end.clear()
        transport = httpx.ASGITransport(slow.app)
        headers = slow.headers(key=f"slow-{time.time_ns()}")
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as asking:
            first = asyncio.create_task(asking.post("/api/v1/things/a", headers=headers))
            while slow.ran == 0:
                await asyncio.sleep(0.01)
            second = await asking.post("/api/v1/things/a", headers=headers)
            slow.may_end.set()
            return [(await first).status_code, second.status_code, slow.ran]

    assert asyncio.run(scenario()) == [201, 409, 1]


def test_what_did_nothing_may_be_tried_again_with_the_same_key(
    replica: Replica, client: TestClient
) -> None:
    headers = replica.headers(key="away-1")
    ran = replica.ran
    for _ in range(2):
        assert client.post("/api/v1/things/away", headers=headers).status_code == 503
    assert replica.ran == ran + 2
    for key in ("a key", "x" * 256):
        wrong = client.post("/api/v1/things/a", headers=replica.headers(key=key))
        assert wrong.status_code == 400


def test_a_token_is_given_to_no_repeat(replica: Replica, client: TestClient) -> None:
    wish = {"subject": "notebook", "role": "viewer", "sensors": ["wrist-*"], "hours": 1}
    headers = replica.headers(key=f"token-{time.time_ns()}")
    first = client.post("/api/v1/tokens", json=wish, headers=headers)
    assert (first.status_code, first.headers["cache-control"]) == (201, "no-store")
    again = client.post("/api/v1/tokens", json=wish, headers=headers)
    assert again.status_code == 409
    assert "token" not in again.json()
    own = {"Authorization": f"Bearer {first.json()['token']}"}
    me = client.get("/api/v1/me", headers=own).json()
    assert (me["subject"], me["role"], me["sensors"]) == ("notebook", "viewer", ["wrist-*"])


@pytest.mark.parametrize(
    ("wish", "who", "status"),
    [
        ({}, {"role": Role.OPERATOR}, 403),
        ({"sensors": None}, {"sensors": ("a-*",)}, 403),
        ({"sensors": ["b"]}, {"sensors": ("a-*",)}, 403),
        ({"sensors": ["a-*"]}, {"sensors": ("a-*",)}, 201),
        ({"role": "root"}, {}, 422),
        ({"hours": 1e300}, {}, 422),
        ({"hours": -1}, {}, 422),
        ({"subject": "oidc:ada"}, {}, 422),
        ({"subject": ""}, {}, 422),
        ({"sensors": ["a"] * 101}, {}, 422),
        ({"more": 1}, {}, 422),
    ],
)
def test_nobody_gives_away_more_than_he_has(
    replica: Replica,
    client: TestClient,
    wish: dict[str, Any],
    who: dict[str, Any],
    status: int,
) -> None:
    body = {"subject": "x", "role": "viewer", "hours": 1, **wish}
    answer = client.post("/api/v1/tokens", json=body, headers=replica.headers(**who))
    assert answer.status_code == status, answer.text


def test_a_code_logs_in_once_with_what_it_grants_and_the_browser_logs_out(
    replica: Replica, client: TestClient
) -> None:
    code = new_login_code(replica.settings, Role.VIEWER, ("wrist-*",), "ada")
    answer = client.get("/login", params={"code": code}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "Secure" not in answer.headers["set-cookie"]
    me = client.get("/api/v1/me").json()
    assert (me["subject"], me["role"], me["sensors"]) == ("ada", "viewer", ["wrist-*"])
    entry = _entries(client, replica, limit=1)[0]
    assert (entry["subject"], entry["path"], entry["status"]) == ("ada", "/login", 303)
    assert client.post("/logout").status_code == 403
    assert client.post("/logout", headers={"Origin": "http://testserver"}).status_code == 204
    assert COOKIE not in client.cookies
    again = client.get("/login", params={"code": code}, follow_redirects=False)
    assert again.status_code == 401
    assert "used before" in again.text
    https = TestClient(replica.app, base_url="https://testserver")
    assert https.get("/health/live").headers["strict-transport-security"]


def test_limits_origins_and_proxies_are_as_the_settings_say(servers: Stack) -> None:
    guarded = Replica(
        servers.settings.mongo.uri.get_secret_value(),
        limit_read="2/hour",
        cors_origins=["https://app.example"],
        trusted_proxies=["10.0.0.0/8"],
    )
    own = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    with TestClient(guarded.app, client=("10.1.2.3", 1)) as client:
        for subject in ("ada", "eve"):
            headers = {**guarded.headers(subject=subject), **own}
            answers = [client.get("/api/v1/me", headers=headers) for _ in range(3)]
            assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[2].headers["access-control-allow-origin"] == "https://app.example"
        assert "access-control-allow-credentials" not in answers[2].headers
        assert client.options("/api/v1/me", headers=own).status_code == 200
        evil = {**own, "Origin": "https://evil.example"}
        assert client.options("/api/v1/me", headers=evil).status_code == 400
        forwarded = {"X-Forwarded-For": "6.6.6.6, 1.2.3.4, 10.9.9.9"}
        client.post("/api/v1/things/a", headers={**guarded.headers(), **forwarded})
        assert _entries(client, guarded, limit=1)[0]["client"] == "1.2.3.4"


# From here on through the port of the whole stack.


@pytest.mark.parametrize(
    "path",
    [
        "/-/routes",
        "/-/ROUTES",
        "/-/healthz",
        "//-/routes",
        "/api/-/routes",
        "/ws/-/routes",
        "/api/serve/applications/",
        "/api/v0/nodes",
        "/api/jobs/",
        "/api/cluster_status",
        "/nodes",
        "/metrics",
        "/stats",
        "/logs/",
    ],
)
def test_nothing_of_ray_is_to_be_had_through_the_port(stack: Stack, path: str) -> None:
    with http(stack.settings, logged_in=False) as client:
        answer = client.get(path)
        assert answer.status_code in (401, 404)
        assert "inference" not in answer.text
    with http(stack.settings) as client:
        assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    "sensor",
    ["..%2f..%2fetc%2fpasswd", "%2e%2e", "a%2fb", "a%00b", "%ff", "a%2bb", "x" * 65, "..%5c.."],
)
def test_tricks_in_a_sensors_id_lead_nowhere(stack: Stack, sensor: str) -> None:
    with http(stack.settings) as client:
        for path in (f"/api/v1/sensors/{sensor}", f"/{sensor}", f"/docs/{sensor}"):
            answer = client.get(path)
            assert answer.status_code in (400, 404, 422), (path, answer.status_code)
            assert "root:" not in answer.text


def test_a_client_that_sends_a_byte_at_a_time_is_ended(stack: Stack) -> None:
    port, patience_s = stack.settings.serve.port, stack.settings.serve.header_timeout_s
    began_s = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=0.2) as slow:
        slow.sendall(b"GET /health/live HTTP/1.1\r\nHost: a\r\nX-Slow: ")
        answer = None
        while answer is None and time.monotonic() - began_s < patience_s + WAIT_S:
            with contextlib.suppress(TimeoutError):
                answer = slow.recv(1_000)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                slow.sendall(b"x")
    assert answer is not None
    assert answer == b"" or b" 408 " in answer.splitlines()[0]
    assert time.monotonic() - began_s < patience_s + 2


def test_nobody_chooses_the_address_that_the_audit_log_names(stack: Stack) -> None:
    with http(stack.settings) as client:
        lie = {"X-Forwarded-For": "6.6.6.6", "X-Request-Id": "request-7"}
        answer = client.post("/api/v1/tickets", headers=lie)
        assert answer.headers.get_list("x-request-id") == ["request-7"]
        assert '"change";r=' in answer.headers["ratelimit"]
        entry = client.get("/api/v1/audit?limit=1").json()["entries"][0]
    assert (entry["action"], entry["status"]) == ("POST /api/v1/tickets", 201)
    assert (entry["client"], entry["request_id"]) == ("127.0.0.1", "request-7")


def _open_stream(settings: Settings, query: str, **options: Any) -> None:
    address = f"ws://127.0.0.1:{settings.serve.port}/ws/transformed/security-1{query}"
    with connect(address, compression=None, proxy=None, **options):
        pass


def test_a_ticket_opens_one_websocket_through_the_port(stack: Stack) -> None:
    with http(stack.settings) as client:
        ticket = client.post("/api/v1/tickets").json()["ticket"]
    _open_stream(stack.settings, f"?ticket={ticket}")
    for query in (f"?ticket={ticket}", ""):
        with pytest.raises(InvalidStatus, match="HTTP 401"):
            _open_stream(stack.settings, query)
    token = bearer(stack.settings)["Authorization"].split()[1]
    _open_stream(stack.settings, "", subprotocols=["imustream", f"bearer.{token}"])


def test_limits_hold_over_replicas(stack: Stack) -> None:
    ray.init(
        stack.settings.ray.address, namespace=stack.settings.ray.namespace, log_to_driver=False
    )
    try:

        async def scenario() -> int:
            replicas = [SharedCounters(stack.settings.ray) for _ in range(2)]
            for each in replicas:
                await each.hit("1/hour", "first")
                assert each._finding is not None
                await each._finding
            key = f"test-{time.time_ns()}"
            hits = [await replicas[n % 2].hit("10/hour", key) for n in range(20)]
            return sum(hit.allowed for hit in hits)

        assert asyncio.run(scenario()) == 10
    finally:
        ray.shutdown()


def test_no_log_holds_a_secret(stack: Stack) -> None:
    settings = stack.settings
    code = new_login_code(settings)
    with http(settings, logged_in=False) as browser:
        assert browser.get("/login", params={"code": code}).status_code == 303
        cookie = browser.cookies[COOKIE]
    with http(settings) as client:
        token = client.headers["Authorization"].split()[1]
        ticket = client.post("/api/v1/tickets").json()["ticket"]
    _open_stream(settings, f"?ticket={ticket}")
    secrets = {
        **_secret_settings(settings),
        **{"code": code, "cookie": cookie, "token": token, "ticket": ticket},
    }
    assert {"auth.signing_key", "s3.secret_key"} <= set(secrets)
    runtime_dir = stack.folder.runtime_dir
    sessions = (ray_folder(runtime_dir) / "session_latest").resolve()
    folders = [stack.folder.path / "logs", sessions / "logs", runtime_dir / "proxy"]
    logs = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    assert len(logs) > 20

    def written() -> bool:
        return any(b"/login" in file.read_bytes() for file in logs)

    eventually(written, "the log of the log-in")
    for file in logs:
        content = file.read_bytes()
        for name, secret in secrets.items():
            assert secret.encode() not in content, f"{name} stands in {file}"
    [config] = [file for file in logs if file.name == "haproxy.cfg"]
    assert_log_without_query(config)


def _secret_settings(settings: Settings) -> dict[str, str]:
    """Every secret the stack runs with, in one line each."""
    found: dict[str, str] = {}
    for section, name in secret_paths(Settings):
        secret = getattr(getattr(settings, section), name)
        # The address of a database without a password is no secret.
        if secret is not None and (section, name) != ("mongo", "uri"):
            lines = [line for line in secret.get_secret_value().splitlines() if "-" * 5 not in line]
            found[f"{section}.{name}"] = lines[0]
    return found


def assert_log_without_query(config: Path) -> None:
    """HAProxy's access log, which goes to the machine's syslog, names paths alone."""
    text = config.read_text()
    assert "option httplog" not in text
    assert re.search(r"log-format .*%HPO", text)
    assert "%r" not in text
