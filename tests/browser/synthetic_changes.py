"""What changes a synthetic world, and the record of who asked for it."""

import time
from typing import Any

import synthetic_letters
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from synthetic_world import World


def add_changes(app: FastAPI, world: World) -> None:
    """Add the requests that change something."""

    @app.middleware("http")
    async def record(request: Request, call_next: Any) -> Response:
        if request.method not in ("GET", "HEAD"):
            await note(request)
            if world.refuse_changes:
                return JSONResponse({"detail": world.refuse_changes}, 409)
        answer: Response = await call_next(request)
        return answer

    async def note(request: Request) -> None:
        body = await request.body()
        world.changes.append(
            {
                "method": request.method, "path": request.url.path, "body": body.decode(),
                "key": request.headers.get("idempotency-key"),
                "if_match": request.headers.get("if-match"),
            }
        )  # fmt: skip

    @app.post("/api/v1/pipelines/{name}/{verb}", status_code=202)
    async def switch(name: str, verb: str) -> dict[str, Any]:
        (world.paused.add if verb == "pause" else world.paused.discard)(name)
        return {"name": name, "paused": verb == "pause"}

    @app.patch("/api/v1/sensors/{sensor_id}")
    async def label(sensor_id: str, request: Request) -> dict[str, Any]:
        labels = dict(world.labels.get(sensor_id, {}))
        for name, value in (await request.json())["labels"].items():
            labels.pop(name, None)
            if value is not None:
                labels[name] = value
        world.labels[sensor_id] = labels
        return {"sensor_id": sensor_id, "labels": labels}

    @app.post("/api/v1/sensors/{sensor_id}/commands", status_code=202)
    async def command(sensor_id: str, request: Request) -> dict[str, Any]:
        asked = await request.json()
        now_us = time.time_ns() // 1000
        answers = world.command_answers
        found = {
            "id": f"c{len(world.changes)}", "name": asked["name"],
            "arguments": asked["arguments"], "sent_us": now_us,
            "expires_us": now_us + asked["expires_s"] * 1_000_000,
            "state": "replied" if answers else "acknowledged",
            "reply": {"ok": True, "result": {"led": "on"}} if answers else None,
        }  # fmt: skip
        world.commands.setdefault(sensor_id, []).insert(0, found)
        return found

    @app.post("/api/v1/dead-letters/redrive", status_code=202)
    async def redrive(request: Request) -> dict[str, Any]:
        asked = await request.json()
        if "offset" in asked:
            numbers = [9_000 - asked["offset"]]
        else:
            numbers = synthetic_letters.matching(
                world, asked.get("reason"), asked.get("pipeline"), asked.get("sensor")
            )
        return synthetic_letters.redriven(world, numbers, asked.get("dry_run", False))

    @app.post("/api/v1/models/{name}/{verb}")
    async def channel(name: str, verb: str, request: Request) -> dict[str, Any]:
        if verb == "rollback":
            world.stable = "1"
        else:
            world.stable = (await request.json())["version"]
        return {"name": name, "stable": world.stable}

    @app.post("/logout", status_code=204)
    async def logout() -> Response:
        world.signed_out = True
        return Response(status_code=204)
