"""Commands to devices: sent with an expiry, answered once, by nobody but the device itself."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from cluster.device_credentials import DeviceCredentials
from cluster.local.stack import Stack
from pipelines.settings import Settings
from serve.command_routes import command_routes
from serve.mongo import mongo_client
from serve.principal import SCOPE_KEY, Principal, Role
from serve.problems import report_problems
from simulator.command_answers import answering
from tests.conftest import running_stack
from tests.integration.test_device_access import Device, connected

WAIT_S = 15.0
pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """The event loop that the api runs on."""
    return "asyncio"


@pytest.fixture(scope="module")
def settings(servers: Stack) -> Iterator[Settings]:
    """The document database of all tests, and a broker that asks for credentials."""
    with running_stack(("mosquitto",), local={"mqtt_anonymous": False}) as guarded:
        yield guarded.settings.model_copy(update={"mongo": servers.settings.mongo})


@pytest.fixture(scope="module")
def password(settings: Settings) -> str:
    """Of the device `watch`."""
    with DeviceCredentials(settings.mqtt) as credentials:
        credentials.add("other")
        return credentials.add("watch")


class As:
    """Lets everyone in as one principal, as the gate does after a log-in."""

    def __init__(self, app: ASGIApp, principal: Principal) -> None:
        self._app = app
        self._principal = principal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, SCOPE_KEY: self._principal}, receive, send)


@asynccontextmanager
async def api(
    settings: Settings, role: Role = Role.OPERATOR, sensors: tuple[str, ...] | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """A replica of the api, once it is connected."""
    mongo = mongo_client(settings)
    app = FastAPI()
    report_problems(app)
    app.include_router(command_routes(settings, mongo))
    principal = Principal("alice", role, sensors, 2e9)
    transport = httpx.ASGITransport(As(app, principal))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://api/api/v1/sensors") as client,
    ):
        yield client
    await mongo.close()


async def sent(client: httpx.AsyncClient, sensor: str = "watch", **command: Any) -> dict[str, Any]:
    """Send a command, waiting for the replica to be connected."""
    for _ in range(200):
        answer = await client.post(f"/{sensor}/commands", json={"name": "ping", **command})
        if answer.status_code != 503:
            break
        await asyncio.sleep(0.05)
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def in_state(client: httpx.AsyncClient, command: dict[str, Any], state: str) -> Any:
    """Wait until a command is in a state."""
    async with asyncio.timeout(WAIT_S):
        while True:
            found = (await client.get(f"/{command['sensor_id']}/commands/{command['id']}")).json()
            if found["state"] == state:
                return found
            await asyncio.sleep(0.05)


def commands_of(device: Device) -> list[dict[str, Any]]:
    return [json.loads(payload) for _, payload in device.messages]


async def test_a_device_gets_a_command_and_its_first_reply_is_shown(
    settings: Settings, password: str
) -> None:
    async with api(settings) as client:
        with connected(settings.mqtt.port, "watch", password) as device:
            device.subscribe("imu/watch/commands")
            command = await sent(client, name="set", arguments={"rate": {"hz": 100}}, expires_s=30)
            assert command["state"] == "acknowledged"
            await asyncio.to_thread(device.wait, lambda: bool(device.messages))
            (got,) = commands_of(device)
            assert got == {
                name: command[name] for name in ("id", "name", "arguments", "expires_us")
            }
            assert command["expires_us"] - command["sent_us"] == 30_000_000
            assert command["sent_by"] == "alice"
            for result in ("first", "second"):
                reply = {"id": command["id"], "ok": True, "result": [result, {"$x.y": None}]}
                device.publish("imu/watch/replies", json.dumps(reply).encode())
            found = await in_state(client, command, "replied")
            assert found["reply"] == {"ok": True, "result": ["first", {"$x.y": None}]}
            listed = (await client.get("/watch/commands", params={"limit": 1})).json()
            assert listed["commands"] == [found]


async def test_a_command_that_nobody_listens_for_says_so_and_expires(
    settings: Settings, password: str
) -> None:
    async with api(settings) as client:
        command = await sent(client, "nobody", expires_s=1)
        assert command["state"] == "sent"
        await in_state(client, command, "expired")


async def test_the_broker_drops_a_command_whose_time_is_over(
    settings: Settings, password: str
) -> None:
    async with api(settings) as client:
        keeps = {"client_id": "watch-with-session"}
        with connected(settings.mqtt.port, "watch", password, session_s=60, **keeps) as device:
            device.subscribe("imu/watch/commands")
        short = await sent(client, expires_s=1)
        long = await sent(client, expires_s=60)
        assert short["state"] == long["state"] == "acknowledged"
        # Mosquitto counts whole seconds.
        while time.time() < short["expires_us"] / 1e6 + 1.1:
            await asyncio.sleep(0.05)
        with connected(settings.mqtt.port, "watch", password, session_s=1, **keeps) as device:
            await asyncio.to_thread(device.wait, lambda: bool(device.messages))
            assert [got["id"] for got in commands_of(device)] == [long["id"]]


async def test_a_reply_of_another_device_or_of_no_form_changes_nothing(
    settings: Settings, password: str
) -> None:
    with DeviceCredentials(settings.mqtt) as credentials:
        other_password = credentials.rotate("other")
    async with api(settings) as client:
        with (
            connected(settings.mqtt.port, "watch", password) as device,
            connected(settings.mqtt.port, "other", other_password) as other,
        ):
            device.subscribe("imu/watch/commands")
            command = await sent(client)
            forged = json.dumps({"id": command["id"], "ok": True, "result": "forged"}).encode()
            other.publish("imu/other/replies", forged)
            for payload in (b"", b"[" * 10_000, b'{"id":1}', b'{"id":"%s"}' % (b"x" * 20_000)):
                device.publish("imu/watch/replies", payload)
            device.publish(
                "imu/watch/replies", json.dumps({"id": command["id"], "ok": False}).encode()
            )
            found = await in_state(client, command, "replied")
            assert found["reply"] == {"ok": False, "result": None}


async def test_replicas_share_the_replies(settings: Settings) -> None:
    async with api(settings) as one, api(settings) as two:
        with answering(["fleet1"], {"kind": "simulated"}, settings.mqtt):
            commands = []
            for client in (one, two) * 5:
                command = await sent(client, "fleet1", name="identify")
                while command["state"] == "sent":  # the simulated device is about to subscribe
                    command = await sent(client, "fleet1", name="identify")
                commands.append(command)
            for command in commands:
                found = await in_state(two, command, "replied")
                assert found["reply"]["result"] == {"sensor_id": "fleet1", "kind": "simulated"}


async def test_who_may_not_send_is_refused_with_a_problem(settings: Settings) -> None:
    async with api(settings, Role.VIEWER) as client:
        assert (await client.post("/watch/commands", json={"name": "ping"})).status_code == 403
        assert (await client.get("/watch/commands")).status_code == 200
    async with api(settings, sensors=("mine*",)) as client:
        assert (await client.post("/watch/commands", json={"name": "ping"})).status_code == 404
        assert (await client.get("/watch/commands")).status_code == 404
    async with api(settings) as client:
        for body in (
            {"name": ""},
            {"name": "x" * 65},
            {"name": "a", "expires_s": 0},
            {"name": "a", "expires_s": 1e9},
            {"name": "a", "arguments": {"x": "y" * 20_000}},
            {"name": "a", "argument": {}},
        ):
            refused = await client.post("/watch/commands", json=body)
            assert refused.status_code == 422, body
            assert refused.headers["content-type"] == "application/problem+json"
        assert (await client.post("/a%2Bb/commands", json={"name": "ping"})).status_code == 422
        assert (await client.get("/watch/commands/unknown")).status_code == 404


async def test_a_broker_that_is_away_is_said_so_at_once(servers: Stack) -> None:
    away = servers.settings.model_copy(deep=True)
    away.mqtt.port = away.serve.port
    async with api(away) as client:
        refused = await client.post("/watch/commands", json={"name": "ping"})
        assert refused.status_code == 503
        assert "is away" in refused.json()["detail"]
