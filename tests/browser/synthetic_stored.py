"""What a synthetic world has stored: sessions, dead letters, models, commands; read only."""

from typing import Any

import synthetic_letters
import synthetic_models
import synthetic_replay
from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response
from synthetic_reports import session_summary
from synthetic_world import World


def add_stored(app: FastAPI, world: World) -> None:
    """Add what can be looked up."""
    _add_sessions(app, world)
    _add_letters(app, world)

    @app.get("/api/v1/models")
    async def models() -> JSONResponse:
        if world.models_problem:
            return JSONResponse({"detail": world.models_problem}, 503)
        return JSONResponse(synthetic_models.models(world))

    @app.get("/api/v1/sensors/{sensor_id}/commands")
    async def commands(sensor_id: str) -> dict[str, Any]:
        return {"commands": world.commands.get(sensor_id, [])}

    @app.get("/api/v1/sensors/{sensor_id}")
    async def sensor(sensor_id: str) -> JSONResponse:
        labels = world.labels.get(sensor_id, {})
        return JSONResponse(
            {"sensor_id": sensor_id, "labels": labels}, headers={"ETag": f'"{len(labels)}"'}
        )


def _add_sessions(app: FastAPI, world: World) -> None:
    def everything() -> list[dict[str, Any]]:
        return [session_summary(world, number) for number in range(world.sessions)]

    def one(session_id: str) -> dict[str, Any] | None:
        return next((each for each in everything() if each["session_id"] == session_id), None)

    @app.get("/api/v1/sessions")
    async def sessions(
        limit: int = 50,
        sensor: str | None = None,
        state: str | None = None,
        from_us: int = 0,
        to_us: int = 2**62,
    ) -> JSONResponse:
        if world.sessions_problem:
            return JSONResponse({"detail": world.sessions_problem}, 503)
        found = [
            each for each in everything()
            if sensor in (None, each["sensor_id"]) and state in (None, each["state"])
            and from_us <= each["start_us"] < to_us
        ]  # fmt: skip
        following = "opaque" if len(found) > limit else None
        return JSONResponse({"sessions": found[:limit], "next_cursor": following})

    @app.get("/api/v1/sessions/{session_id}")
    async def session(session_id: str) -> JSONResponse:
        found = one(session_id)
        if found is None:
            return JSONResponse({"detail": f"There is no session {session_id!r}."}, 404)
        return JSONResponse(found)

    @app.get("/api/v1/sessions/{session_id}/{part}")
    async def part(
        session_id: str,
        part: str,
        points: int = 1000,
        from_us: int | None = None,
        to_us: int | None = None,
    ) -> JSONResponse:
        found = one(session_id)
        assert found is not None
        if part == "windows":
            return JSONResponse(synthetic_replay.windows(found))
        if world.samples_problem:
            return JSONResponse({"detail": world.samples_problem}, 503)
        begin, end = from_us or found["start_us"], to_us or found["end_us"]
        give = {"samples": synthetic_replay.samples, "predictions": synthetic_replay.predictions}
        return JSONResponse(give[part](found, points, begin, end))


def _add_letters(app: FastAPI, world: World) -> None:
    @app.get("/api/v1/dead-letters")
    async def letters(
        limit: int = 100,
        cursor: str | None = None,
        reason: str | None = None,
        pipeline: str | None = None,
        sensor: str | None = None,
    ) -> JSONResponse:
        if world.letters_problem:
            return JSONResponse({"detail": world.letters_problem}, 503)
        found = synthetic_letters.matching(world, reason, pipeline, sensor)
        return JSONResponse(synthetic_letters.listed(world, found, limit, cursor))

    @app.get("/api/v1/dead-letters/{partition}/{offset}")
    async def letter(partition: int, offset: int) -> dict[str, Any]:
        return synthetic_letters.inspected(world, 9_000 - offset)

    @app.get("/api/v1/dead-letters/{partition}/{offset}/payload")
    async def payload(partition: int, offset: int) -> Response:
        found = synthetic_letters.inspected(world, 9_000 - offset)["payload_hex"]
        return Response(bytes.fromhex(found), media_type="application/octet-stream")
