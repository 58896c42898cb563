"""`/device`: a page that makes the phone that opens it a sensor, over MQTT in a WebSocket."""

import logging
import re
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles

from pipelines.settings import Settings
from serve.security_headers import content_policy

log = logging.getLogger(__name__)

_SERVE = Path(__file__).resolve().parent
_PAGE = _SERVE / "device_page"
_MQTT = _SERVE.parent / "node_modules" / "mqtt" / "dist"
_MQTT_FILE: Final = "mqtt.esm.js"
_HOST = re.compile(r"^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]{1,253})(:[0-9]{1,5})?$")
MQTT_PATH: Final = "/mqtt"


def device_page_routes(settings: Settings) -> APIRouter:
    """Return the page, its files, and what it must know of the broker."""
    router = APIRouter(include_in_schema=False)
    port = settings.mqtt.websocket_port

    @router.get("/device")
    async def device(request: Request) -> Response:
        broker = broker_sources(request.headers.get("host", ""), port)
        policy = content_policy({"connect-src": broker})
        return FileResponse(
            _PAGE / "index.html",
            headers={"Content-Security-Policy": policy, "Cache-Control": "no-cache"},
        )

    @router.get("/device/broker.json")
    async def broker() -> Response:
        return JSONResponse(
            {"websocket_port": port, "path": MQTT_PATH}, headers={"Cache-Control": "no-store"}
        )

    router.mount("/device", StaticFiles(directory=_PAGE))
    if (_MQTT / _MQTT_FILE).is_file():
        router.mount("/vendor/mqtt", StaticFiles(directory=_MQTT))
    else:
        log.warning("%s is missing, so /device cannot connect: run `make setup`", _MQTT)
    return router


def broker_sources(host: str, port: int) -> tuple[str, ...]:
    """Return what the page connects to besides: the broker's WebSocket on this host.

    Args:
        host: the request's header `Host`; one that is none adds nothing.
        port: of MQTT over WebSockets.
    """
    found = _HOST.match(host)
    return () if found is None else (f"ws://{found[1]}:{port}", f"wss://{found[1]}:{port}")
