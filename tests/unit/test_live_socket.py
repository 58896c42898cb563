"""The WebSocket protocol under `live`, in a real uvicorn: bounds, pings, compression, restart."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close

from pipelines.settings import LiveSettings
from serve import live_socket

SETTINGS = LiveSettings(max_message_bytes=1_024, ping_interval_s=0.1, ping_timeout_s=0.3)
_ECHO_S = 10.0


async def _echo(scope: Scope, receive: Receive, send: Send) -> None:
    socket = WebSocket(scope, receive, send)
    await socket.accept()
    with suppress(WebSocketDisconnect):
        while True:
            await socket.send_text(str(len(await socket.receive_text())))


class Server(uvicorn.Server):
    """A server in this process."""

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self.servers[0].sockets[0].getsockname()[1]
        return port


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    config = uvicorn.Config(_echo, port=0, log_level="critical", lifespan="off")
    server = Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield server
    finally:
        server.should_exit = True
        await running


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our protocol in this process, for one test."""
    monkeypatch.setitem(uvicorn.config.WS_PROTOCOLS, "auto", uvicorn.config.WS_PROTOCOLS["auto"])
    live_socket.install(SETTINGS)


def _run(scenario: Callable[[Server], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with serving() as server:
            await asyncio.wait_for(scenario(server), _ECHO_S)

    asyncio.run(whole())


def test_a_client_that_answers_pings_stays_and_is_sent_nothing_compressed() -> None:
    async def scenario(server: Server) -> None:
        async with connect(f"ws://127.0.0.1:{server.port}") as client:
            assert client.protocol.extensions == []
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.recv(), 1.0)
            await client.send("x" * 1_024)
            assert await client.recv() == "1024"

    _run(scenario)


def test_a_client_that_answers_no_ping_is_closed_with_4408() -> None:
    async def scenario(server: Server) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        key = base64.b64encode(os.urandom(16)).decode()
        writer.write(
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n" % key.encode()
        )
        await reader.readuntil(b"\r\n\r\n")
        ping = await reader.readexactly(6)
        assert ping[0] == 0x89
        # It says nothing: it is told why, and then the connection ends.
        header = await reader.readexactly(2)
        assert header[0] == 0x88
        close = Close.parse(await reader.readexactly(header[1]))
        assert (close.code, close.reason) == (4408, "no pong within 0.3 s")
        assert await reader.read() == b""
        writer.close()

    _run(scenario)


def test_a_message_that_is_too_large_ends_the_connection_with_1009() -> None:
    async def scenario(server: Server) -> None:
        async with connect(f"ws://127.0.0.1:{server.port}") as client:
            await client.send("x" * 1_025)
            with pytest.raises(ConnectionClosed) as closed:
                await client.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1009

    _run(scenario)


def test_a_server_that_stops_says_1012() -> None:
    async def scenario(server: Server) -> None:
        async with connect(f"ws://127.0.0.1:{server.port}") as client:
            server.should_exit = True
            with pytest.raises(ConnectionClosed) as closed:
                await client.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012

    _run(scenario)
