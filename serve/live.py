"""Serve application `live`: what Kafka holds, pushed to WebSocket clients as it is committed.

`/ws/raw/{sensor}`, `/ws/transformed/{sensor}` and `/ws/aggregated/{sensor}` each give messages of
``schemas/websocket-message.schema.json``, from the moment the client comes. A client that reads
too slowly loses the oldest messages and is told how many; it slows nobody. While Kafka is away
clients stay connected, and go on where they were when it is back.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import FastAPI, Query, WebSocket, WebSocketDisconnect
from ray import serve

from pipelines.sensor_topic import sensor_id_fault
from pipelines.settings import Settings
from serve.client_queue import ClientQueue
from serve.gate import POLICY_VIOLATION, Gate
from serve.live_messages import TOPIC_OF, TRANSFORMED
from serve.live_reader import LiveReader
from serve.live_watch import WatchList

NAME = "live"
ROUTE_PREFIX = "/ws"
TRY_AGAIN_LATER = 1013

_FIRST_READ_S = 2.0
"""A client is let in when its partition is being read, or after this long without Kafka."""
_SPARE_REQUESTS = 64
"""Requests above `live.max_clients` that reach the replica, to be told that it is full."""

MaxHz = Annotated[float | None, Query(gt=0, description="Samples a second of a thinned stream.")]


class LiveStreams:
    """The open streams of one replica."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings.live
        self._watches = WatchList()
        self.reader = LiveReader(settings.kafka, self._watches)
        self._clients = 0

    async def serve_client(
        self, websocket: WebSocket, stream: str, sensor_id: str, max_hz: float | None
    ) -> None:
        """Serve one client until it goes."""
        fault = self._fault(stream, sensor_id)
        if fault is not None:
            await websocket.accept()
            await websocket.close(*fault)
            return
        queue = ClientQueue(self._settings.queue_messages)
        watch = self._watches.add(
            stream, sensor_id, max_hz if stream == TRANSFORMED else None, queue
        )
        self._clients += 1
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FIRST_READ_S):
                    await self.reader.reads(watch.at)
            await websocket.accept()
            await _until_first_ends(_send(websocket, queue), _receive(websocket))
        finally:
            self._clients -= 1
            self._watches.remove(watch, queue)

    def _fault(self, stream: str, sensor_id: str) -> tuple[int, str] | None:
        """Return close code and reason where a client cannot be served."""
        if stream not in TOPIC_OF:
            return POLICY_VIOLATION, f"no such stream; there are {', '.join(TOPIC_OF)}"
        why = sensor_id_fault(sensor_id)
        if why is not None:
            return POLICY_VIOLATION, f"the sensor id {why}"
        if self._clients >= self._settings.max_clients:
            return TRY_AGAIN_LATER, f"full: live.max_clients is {self._settings.max_clients}"
        return None


async def _send(websocket: WebSocket, queue: ClientQueue) -> None:
    while True:
        await websocket.send_text(await queue.get())


async def _receive(websocket: WebSocket) -> None:
    """Read and drop what the client says, so that its going is seen."""
    while True:
        await websocket.receive_text()


async def _until_first_ends(*parts: Any) -> None:
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            # A client may go at any moment: that ends its stream, and is no error.
            with contextlib.suppress(WebSocketDisconnect):
                task.result()
    finally:
        for task in tasks:
            task.cancel()


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
        self._settings = settings
        self._streams: LiveStreams | None = None

    def __serve_build_asgi_app__(self) -> FastAPI:
        """Return the application; Serve calls this in the replica."""
        return self._app()

    def _app(self) -> FastAPI:
        @contextlib.asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[None]:
            self._streams = LiveStreams(self._settings)
            self._streams.reader.thread.start()
            try:
                yield
            finally:
                await asyncio.to_thread(self._streams.reader.thread.stop)

        app = FastAPI(lifespan=lifespan, openapi_url=None)
        app.add_middleware(Gate, settings=self._settings)

        @app.websocket("/{stream}/{sensor_id}")
        async def stream(
            websocket: WebSocket, stream: str, sensor_id: str, max_hz: MaxHz = None
        ) -> None:
            assert self._streams is not None
            await self._streams.serve_client(websocket, stream, sensor_id, max_hz)

        return app

    def check_health(self) -> None:
        """Tell Serve whether this replica works; Serve calls it every second."""
        if self._streams is not None:
            self._streams.reader.thread.check()


def live_application(settings: Settings) -> serve.Application:
    """Return the application to deploy at ``ROUTE_PREFIX``."""
    most = settings.live.max_clients + _SPARE_REQUESTS
    deployment = Live.options(max_ongoing_requests=most)  # type: ignore[attr-defined]
    return deployment.bind(settings)  # type: ignore[no-any-return]
