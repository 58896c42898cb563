"""The api's and live's contract over synthetic motion: what the page is developed and tested on.

It speaks the same paths and messages as the real applications, so that a test can make a sensor
fall silent, a client slow or a log-in end, at will and at once. The page against the real stack is
in ``test_dashboard_real.py``.
"""

import asyncio
import math
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, WebSocket
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.websockets import WebSocketDisconnect

DASHBOARD = Path(__file__).parents[2] / "serve" / "dashboard"
FRAME_SAMPLES = 64
RATE_HZ = 200
FRAME_S = FRAME_SAMPLES / RATE_HZ
SESSIONS_BEGIN_US = 1_790_000_000_000_000
POLICY = "default-src 'self'; img-src 'self' data:; style-src 'self'; base-uri 'none'"


@dataclass
class World:
    """What the sensors and the service do now; a test changes it while the page runs."""

    sensors: list[str]
    clock_offset_s: dict[str, float] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    last_frame_s_ago: float = 0
    dropped: dict[str, int] = field(default_factory=dict)
    signed_out: bool = False
    problem: str | None = None
    alarm: str | None = None
    not_ready: set[str] = field(default_factory=set)
    sessions: int = 60
    sessions_problem: str | None = None


def motion(sensor_number: int, time_s: float) -> dict[str, float]:
    """One sample, g and rad/s: a walk whose pace and strength differ by sensor."""
    pace = 2 * math.pi * (0.8 + 0.13 * (sensor_number % 7)) * time_s
    strength = 0.25 + 0.12 * (sensor_number % 5)
    gust = 0.5 + 0.5 * math.sin(time_s / 3 + sensor_number)
    acc = (
        strength * gust * math.sin(pace),
        strength * 0.6 * math.cos(2 * pace + 1),
        -1 + strength * gust * abs(math.sin(pace)) ** 3,
    )
    gyro = (1.4 * gust * math.cos(pace), 0.8 * math.sin(pace / 2), 0.5 * math.sin(pace / 5 + 2))
    return {
        **{f"acc_{axis}": value for axis, value in zip("xyz", acc, strict=True)},
        **{f"gyro_{axis}": value for axis, value in zip("xyz", gyro, strict=True)},
        "accl_mag": math.hypot(*acc),
        "gyro_mag": math.hypot(*gyro),
    }


def frame_columns(number: int, end_s: float, max_hz: float) -> dict[str, list[Any]]:
    """The columns of one message: a frame that ends at ``end_s`` on the device's clock."""
    step = max(1, round(RATE_HZ / max_hz))
    times = [end_s - (FRAME_SAMPLES - 1 - i) / RATE_HZ for i in range(0, FRAME_SAMPLES, step)]
    rows = [motion(number, at) for at in times]
    columns: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in rows[0]}
    columns["timestamp_us"] = [round(at * 1e6) for at in times]
    columns["boot"] = [0] * len(times)
    return columns


def window_columns(number: int, end_s: float) -> dict[str, list[Any]]:
    """The columns of one closed motion window."""
    rows = [motion(number, end_s - 2 + i / 50) for i in range(100)]
    columns: dict[str, list[Any]] = {
        "kind": ["motion"], "boot": [0], "samples": [400], "gaps": [0], "late": [0],
        "start_us": [round((end_s - 2) * 1e6)], "end_us": [round(end_s * 1e6)],
        "closed_by": ["watermark"],
    }  # fmt: skip
    for name, source in (("acc_mag", "accl_mag"), ("gyro_mag", "gyro_mag")):
        values = [row[source] for row in rows]
        mean = sum(values) / len(values)
        square = sum(value * value for value in values) / len(values)
        statistics = {
            "min": min(values), "max": max(values), "mean": mean, "rms": math.sqrt(square),
            "std": math.sqrt(max(0.0, square - mean * mean)),
        }  # fmt: skip
        columns.update({f"{name}_{kind}": [value] for kind, value in statistics.items()})
    return columns


def sensor_summary(world: World, number: int, sensor_id: str) -> dict[str, Any]:
    """One sensor as `/api/v1/sensors` gives it."""
    now_us = time.time_ns() // 1000
    offset_us = round(world.clock_offset_s.get(sensor_id, 0) * 1e6)
    silent = sensor_id in world.silent
    received_us = now_us - round(world.last_frame_s_ago * 1e6)
    return {
        "sensor_id": sensor_id, "partition": number % 10, "state": "silent" if silent else "live",
        "boot": number % 3, "samples": 120_000 + 64 * number, "gaps": number % 4, "duplicates": 2,
        "late": 0, "dead_letters": 0, "clock_steps": 0, "rate_hz": 0.0 if silent else 199.98,
        "last_timestamp_us": received_us + offset_us, "last_received_us": received_us,
        "clock_offset_us": offset_us,
    }  # fmt: skip


def session_summary(world: World, number: int) -> dict[str, Any]:
    """One session as `/api/v1/sessions` gives it; number 0 started last."""
    sensor_id = world.sensors[number % len(world.sensors)]
    start_us = SESSIONS_BEGIN_US - number * 700_000_000
    lasted_s = 2 * (30 + 97 * number % 1_900)
    seen = number % 3 > 0
    return {
        "session_id": f"{sensor_id}_{start_us}", "sensor_id": sensor_id, "revision": 9,
        "event": "closed" if number > 2 else "updated", "state": "closed" if number > 2 else "open",
        "start_us": start_us, "end_us": start_us + lasted_s * 1_000_000,
        "windows": lasted_s // 2, "samples": 200 * lasted_s, "gaps": number % 4, "late": 0,
        "acc_mag_max": 1.2 + (number % 9) / 7, "gyro_mag_max": 2.5, "velocity_windows": 30 * seen,
        "velocity_max": 1.4 + (number % 5) / 6 if seen else None,
        "distance_m": lasted_s * 0.9 if seen else None, "first_boot": 0, "last_boot": 0,
        "closed_by": "silence" if number > 2 else None, "through_offset": 100,
    }  # fmt: skip


def other_pipeline(name: str, topics: list[str], counts: dict[str, int]) -> dict[str, Any]:
    """Another pipeline as `/api/v1/pipelines` gives it."""
    now_us = time.time_ns() // 1000
    partitions = [
        {
            "topic": topic, "partition": number, "slot": 0, "next_offset": 5_000 + number,
            "end_offset": 5_000 + number, "lag": 0, "last_commit_us": now_us - 900_000,
        }
        for topic in topics for number in range(10)
    ]  # fmt: skip
    return {
        "name": name, "generation": 1, "slots": 1, "running_slots": 1, "paused": False,
        "state": "running", "alarm": None, "lag": 0, "records_per_s": 12.5, "samples_per_s": 0.0,
        "last_commit_us": now_us - 900_000, "counts": counts, "partitions": partitions,
    }  # fmt: skip


def pipeline_summaries(world: World) -> list[dict[str, Any]]:
    """All pipelines as `/api/v1/pipelines` gives them."""
    aggregated, sessions = "sensor-data-aggregated", "new-session-topic"
    written = {"records": 900, "ticks": 400, "events": 500, "documents": 480, "dead_letters": 0}
    return [
        pipeline_summary(world),
        other_pipeline("session-aggregation", [aggregated], {"records": 900, "events": 500}),
        other_pipeline("ml-inference", ["sensor-data-transformed"], {"samples": 9_000}),
        other_pipeline("session-writer", [sessions], written),
        other_pipeline("archive", ["imu-data-all", aggregated, sessions], {"rows": 90_000}),
    ]


def pipeline_summary(world: World) -> dict[str, Any]:
    """sensor-processing as `/api/v1/pipelines` gives it."""
    now_us = time.time_ns() // 1000
    frames = int(time.time() * 60)
    partitions = [
        {
            "topic": "imu-data-all", "partition": number, "slot": number % 2,
            "next_offset": frames + number,
            "end_offset": frames + number + 3, "lag": 3, "last_commit_us": now_us - 20_000,
        }
        for number in range(10)
    ]  # fmt: skip
    counts = {
        "frames": frames, "transformed": frames - 40, "duplicates": 21, "heartbeats": 12,
        "dead_letters": 7, "samples": 64 * (frames - 40), "gaps": 5, "windows": frames // 6,
    }  # fmt: skip
    return {
        "name": "sensor-processing", "generation": 3, "slots": 2, "running_slots": 2,
        "paused": False, "state": "stopped" if world.alarm else "running", "alarm": world.alarm,
        "lag": 30, "records_per_s": 62.5, "samples_per_s": 4_000.0,
        "last_commit_us": now_us - 20_000, "counts": counts, "partitions": partitions,
    }  # fmt: skip


def readiness(world: World) -> dict[str, Any]:
    """The body of `/health/ready`."""
    details = {
        "kafka": "1 broker", "mongodb": "answers", "mqtt": "the bridge is connected",
        "sensor-processing": "2 of 2 slots run", "session-writer": "1 slots, lag 0",
        "live": "reads 10 partitions",
    }  # fmt: skip
    parts = {
        name: {"ready": name not in world.not_ready,
               "detail": "does not answer at 127.0.0.1" if name in world.not_ready else detail}
        for name, detail in details.items()
    }  # fmt: skip
    return {"ready": not world.not_ready, "parts": parts}


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

    @app.get("/api/v1/sensors")
    async def sensors() -> dict[str, Any]:
        return {"sensors": [sensor_summary(world, n, s) for n, s in enumerate(world.sensors)]}

    @app.get("/api/v1/pipelines")
    async def pipelines() -> dict[str, Any]:
        return {"pipelines": pipeline_summaries(world)}

    @app.get("/api/v1/sessions")
    async def sessions(
        limit: int = 50, sensor: str | None = None, state: str | None = None
    ) -> JSONResponse:
        if world.sessions_problem:
            return JSONResponse({"detail": world.sessions_problem}, 503)
        found = [session_summary(world, number) for number in range(world.sessions)]
        found = [
            each for each in found
            if sensor in (None, each["sensor_id"]) and state in (None, each["state"])
        ]  # fmt: skip
        following = "opaque" if len(found) > limit else None
        return JSONResponse({"sessions": found[:limit], "next": following})

    @app.get("/health/ready")
    async def ready() -> JSONResponse:
        body = readiness(world)
        return JSONResponse(body, 200 if body["ready"] else 503)

    @app.websocket("/ws/{stream}/{sensor_id}")
    async def live(websocket: WebSocket, stream: str, sensor_id: str, max_hz: float = 200) -> None:
        if world.signed_out:
            await websocket.close(1008)
            return
        await websocket.accept()
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
    period = FRAME_S if stream == "transformed" else 2.0
    seq = 0
    # Sensors publish out of step with each other, always at the same points of their own time.
    phase = (0.071 * number) % period
    while True:
        now = time.time()
        await asyncio.sleep(period - (now - phase) % period)
        if not known or sensor_id in world.silent:
            continue
        end_s = time.time() + world.clock_offset_s.get(sensor_id, 0)
        transformed = stream == "transformed"
        columns = (
            frame_columns(number, end_s, max_hz) if transformed else window_columns(number, end_s)
        )
        dropped = world.dropped.get(sensor_id, 0) if transformed else 0
        head = {"stream": stream, "sensor_id": sensor_id, "seq": seq, "dropped": dropped}
        await websocket.send_json({**head, "columns": columns})
        seq += 1


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
