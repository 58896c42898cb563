"""Serve application `live`: what Kafka holds, pushed to WebSocket clients as it is committed.

`/ws/raw/{sensor}`, `/ws/transformed/{sensor}`, `/ws/aggregated/{sensor}`,
`/ws/predictions/{sensor}`, `/ws/sessions` and `/ws/alarms` each give messages of
``schemas/websocket-message.schema.json``, from the moment the client comes or from where it was;
`/ws` gives as many of them as the client subscribes to. The protocol is in
``docs/websocket-protocol.md``. A client that reads too slowly loses the oldest messages and is
told how many; it slows nobody. While Kafka is away clients stay connected, and go on where they
were when it is back.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from fastapi import FastAPI, WebSocket
from ray import serve
from starlette.websockets import WebSocketState

from pipelines import metrics
from pipelines.logs import configure_logging
from pipelines.settings import Settings
from serve import live_socket
from serve.catch_up import CatchUp
from serve.close_codes import ClosingError
from serve.gate import Gate
from serve.live_admission import Admission
from serve.live_connection import LiveConnection, Sources
from serve.live_reader import LiveReader
from serve.live_watch import WatchList
from serve.live_wish import format_of, wish_of_path
from serve.principal import principal_of

NAME = "live"
ROUTE_PREFIX = "/ws"

_FIRST_READ_S = 2.0
"""A client is let in when its partition is being read, or after this long without Kafka."""
_COUNT_S = 1.0
"""How often messages are counted together: each by itself would cost as much as to send it."""
_SPARE_REQUESTS = 64
"""Requests above `live.max_clients` that reach the replica, to be told that it is full."""

Serving = Callable[[LiveConnection], Awaitable[None]]


class LiveStreams:
    """The open streams of one replica."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings.live
        watches = WatchList()
        self._reader = LiveReader(settings.kafka, watches)
        self._catch_up = CatchUp(settings.kafka, settings.live, self._reader)
        self._sources = Sources(watches, self._reader, self._catch_up)
        self._admission = Admission(settings.live)
        self._connections: set[LiveConnection] = set()
        self._telling = asyncio.create_task(self._tell_positions())
        self._counting = asyncio.create_task(self._tell_counts())
        self._reader.thread.start()

    async def serve_stream(self, websocket: WebSocket, stream: str, sensor_id: str | None) -> None:
        """Serve the client of one stream until it goes."""

        async def serving(connection: LiveConnection) -> None:
            query = websocket.query_params
            wish = wish_of_path(stream, sensor_id, query, format_of(query))
            await connection.serve_one(wish, _FIRST_READ_S)

        await self._serve(websocket, serving)

    async def serve_all(self, websocket: WebSocket) -> None:
        """Serve the client of many streams until it goes."""

        async def serving(connection: LiveConnection) -> None:
            await connection.serve_many(format_of(websocket.query_params))

        await self._serve(websocket, serving)

    async def stop(self) -> None:
        """Read no more."""
        self._telling.cancel()
        self._counting.cancel()
        await self._catch_up.stop()
        await asyncio.to_thread(self._reader.thread.stop)

    def check(self) -> None:
        """Raise where a reader has ended although nobody stopped it."""
        self._reader.thread.check()
        self._catch_up.check()

    async def _serve(self, websocket: WebSocket, serving: Serving) -> None:
        principal = principal_of(websocket)
        try:
            self._admission.enter(principal.subject)
        except ClosingError as error:
            await _close(websocket, error)
            return
        connection = LiveConnection(websocket, principal, self._settings, self._sources)
        self._connections.add(connection)
        try:
            await serving(connection)
        except ClosingError as error:
            await _close(websocket, error)
        finally:
            self._connections.discard(connection)
            connection.end()
            _count([connection])
            self._admission.leave(principal.subject)

    async def _tell_positions(self) -> None:
        while True:
            await asyncio.sleep(self._settings.position_interval_s)
            for connection in list(self._connections):
                connection.note_positions()

    async def _tell_counts(self) -> None:
        while True:
            metrics.LIVE_CLIENTS.set(len(self._connections))
            _count(self._connections)
            await asyncio.sleep(_COUNT_S)


def _count(connections: Iterable[LiveConnection]) -> None:
    counts = [connection.take_counts() for connection in connections]
    metrics.LIVE_MESSAGES.add(sum(sent for sent, _ in counts))
    metrics.LIVE_DROPPED.add(sum(dropped for _, dropped in counts))


async def _close(websocket: WebSocket, error: ClosingError) -> None:
    """Close with code and reason, which only an accepted WebSocket can be told."""
    # A client may go at any moment: that ends its stream, and is no error.
    with contextlib.suppress(RuntimeError, OSError):
        if websocket.application_state is WebSocketState.CONNECTING:
            await websocket.accept()
        await websocket.close(error.code, error.reason)


@serve.deployment(
    name="Live",
    graceful_shutdown_timeout_s=1,
    # How soon a replica that was killed is missed and another started.
    health_check_period_s=1,
    ray_actor_options={"num_cpus": 0},
)
@serve.ingress()
class Live:
    """A replica of `live`."""

    def __init__(self, settings: Settings) -> None:
        configure_logging(settings, NAME)
        self._settings = settings
        self._streams: LiveStreams | None = None
        live_socket.install(settings.live)

    def __serve_build_asgi_app__(self) -> FastAPI:
        """Return the application; Serve calls this in the replica."""
        return self._app()

    def _app(self) -> FastAPI:
        @contextlib.asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[None]:
            self._streams = LiveStreams(self._settings)
            try:
                yield
            finally:
                await self._streams.stop()

        app = FastAPI(lifespan=lifespan, openapi_url=None)
        app.add_middleware(Gate, settings=self._settings)

        async def all_streams(websocket: WebSocket) -> None:
            await self._open().serve_all(websocket)

        for path in ("", "/"):
            # The decorator takes no empty path, which is `/ws` itself.
            app.router.add_api_websocket_route(path, all_streams)

        @app.websocket("/{stream}")
        async def stream(websocket: WebSocket, stream: str) -> None:
            await self._open().serve_stream(websocket, stream, websocket.query_params.get("sensor"))

        @app.websocket("/{stream}/{sensor_id}")
        async def sensor_stream(websocket: WebSocket, stream: str, sensor_id: str) -> None:
            await self._open().serve_stream(websocket, stream, sensor_id)

        return app

    def _open(self) -> LiveStreams:
        assert self._streams is not None
        return self._streams

    def check_health(self) -> None:
        """Tell Serve whether this replica works; Serve calls it every second."""
        if self._streams is not None:
            self._streams.check()


def live_application(settings: Settings) -> serve.Application:
    """Return the application to deploy at ``ROUTE_PREFIX``."""
    most = settings.live.max_clients + _SPARE_REQUESTS
    deployment = Live.options(max_ongoing_requests=most)  # type: ignore[attr-defined]
    return deployment.bind(settings)  # type: ignore[no-any-return]
