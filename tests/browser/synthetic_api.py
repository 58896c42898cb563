"""The api's and live's contract over synthetic motion: what the page is developed and tested on.

It speaks the same paths and messages as the real applications, so that a test can make a sensor
fall silent, a client slow or a log-in end, at will and at once. The page against the real stack is
in ``test_dashboard_real.py``.
"""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, WebSocket
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.websockets import WebSocketDisconnect
from synthetic_changes import add_changes
from synthetic_motion import FRAME_S, frame_columns, prediction_columns, window_columns
from synthetic_reports import flow, identity, pipeline_summaries, readiness, sensor_summary
from synthetic_stored import add_stored
from synthetic_world import World

DASHBOARD = Path(__file__).parents[2] / "serve" / "dashboard"
POLICY = (
    "default-src 'self'; img-src 'self' data:; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'; object-src 'none'"
)


def make_app(world: World, uplot: Path) -> FastAPI:
    """The contract as an ASGI application; ``uplot`` is the folder with uPlot.esm.js."""
    app = FastAPI()

    @app.middleware("http")
    async def guard(request: Any, call_next: Any) -> Response:
        api = request.url.path.startswith(("/api", "/health"))
        if world.signed_out and api:
            return JSONResponse({"detail": "You are not logged in."}, 401)
        if world.problem and api:
            return JSONResponse({"detail": world.problem}, 503)
        response: Response = await call_next(request)
        response.headers["Content-Security-Policy"] = POLICY
        return response

    @app.get("/api/v1/me")
    async def me() -> dict[str, Any]:
        return identity(world)

    @app.get("/api/v1/sensors")
    async def sensors() -> dict[str, Any]:
        found = [sensor_summary(world, n, s) for n, s in enumerate(world.sensors)]
        return {"sensors": found, "next_cursor": None}

    @app.get("/api/v1/pipelines")
    async def pipelines() -> dict[str, Any]:
        return {"pipelines": pipeline_summaries(world)}

    @app.get("/api/v1/flow")
    async def stages() -> dict[str, Any]:
        return flow(world)

    @app.get("/health/ready")
    async def ready() -> JSONResponse:
        body = readiness(world)
        return JSONResponse(body, 200 if body["ready"] else 503)

    add_stored(app, world)
    add_changes(app, world)

    @app.websocket("/ws/{stream}/{sensor_id}")
    async def live(websocket: WebSocket, stream: str, sensor_id: str, max_hz: float = 200) -> None:
        await websocket.accept()
        if world.signed_out:
            await websocket.close(4401)
            return
        try:
            await _stream(websocket, world, (stream, sensor_id), max_hz)
        except (WebSocketDisconnect, RuntimeError):
            return

    app.mount("/vendor/uplot", StaticFiles(directory=uplot))
    app.mount("/", StaticFiles(directory=DASHBOARD, html=True))
    return app


async def _stream(
    websocket: WebSocket, world: World, source: tuple[str, str], max_hz: float
) -> None:
    stream, sensor_id = source
    known = sensor_id in world.sensors
    number = world.sensors.index(sensor_id) if known else 0
    period = 2.0 if stream == "aggregated" else FRAME_S
    seq = 0
    # Sensors publish out of step with each other, always at the same points of their own time.
    phase = (0.071 * number) % period
    while True:
        now = time.time()
        await asyncio.sleep(period - (now - phase) % period)
        if not known or sensor_id in world.silent:
            continue
        end_s = time.time() + world.clock_offset_s.get(sensor_id, 0)
        columns = _columns(stream, number, end_s, max_hz)
        dropped = world.dropped.get(sensor_id, 0) if stream == "transformed" else 0
        head = {"stream": stream, "sensor_id": sensor_id, "seq": seq, "dropped": dropped}
        await websocket.send_json({**head, "columns": columns})
        seq += 1


def _columns(stream: str, number: int, end_s: float, max_hz: float) -> dict[str, list[Any]]:
    if stream == "transformed":
        return frame_columns(number, end_s, max_hz)
    if stream == "predictions":
        return prediction_columns(number, end_s - 0.1)
    return window_columns(number, end_s)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(app: FastAPI, port: int) -> Iterator[str]:
    """The application on 127.0.0.1; yields its address. Leaving closes every connection."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, log_level="critical", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 15
    while not server.started:
        assert thread.is_alive() and time.monotonic() < deadline, "the server did not start"
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)
