"""The paths of the Open Inference Protocol v2, and what each answers."""

from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import orjson
from fastapi import Depends, FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from pipelines.settings import InferenceSettings
from serve.inference.admission import Admission
from serve.inference.bodies import read_body
from serve.inference.inference_service import InferenceService
from serve.inference.refusal import RefusedError, error_response, malformed
from serve.inference.replicas import Replicas
from serve.inference.served_models import ServedModels
from serve.inference.streaming_contract import configuration, metadata
from serve.principal import Role, requires

EXTENSIONS = ("binary_tensor_data", "model_repository", "model_configuration", "statistics")
"""The extensions of the protocol that work here; clients look for them in `GET /v2`."""

_REPOSITORY_REQUESTS = 64
_OPERATOR = Depends(requires(Role.OPERATOR))
"""Whoever loads and unloads models decides what others are answered with."""
_MODEL = "/v2/models/{name}"
_VERSION = "/v2/models/{name}/versions/{model_version}"


def add_routes(
    app: FastAPI, settings: InferenceSettings, served: ServedModels, replicas: Replicas
) -> None:
    """Add all paths to ``app``."""
    service = InferenceService(settings, served, replicas)
    _answer_errors(app)
    _add_server_routes(app, served)
    _add_model_routes(app, settings, served, service)
    _add_repository_routes(app, settings, served)


def _answer_errors(app: FastAPI) -> None:
    @app.exception_handler(RefusedError)
    async def refused(_: Request, error: RefusedError) -> Response:
        return error_response(error.status, error.message, error.headers)

    @app.exception_handler(HTTPException)
    async def unrouted(request: Request, error: HTTPException) -> Response:
        message = f"{request.method} {request.url.path}: {error.detail}"
        return error_response(error.status_code, message, error.headers)

    @app.exception_handler(Exception)
    async def broken(_: Request, error: Exception) -> Response:
        return error_response(HTTPStatus.INTERNAL_SERVER_ERROR, f"internal error: {error!r}")


def _add_server_routes(app: FastAPI, served: ServedModels) -> None:
    @app.get("/v2")
    async def server() -> Response:
        return _json({"name": "imustream", "version": _version(), "extensions": EXTENSIONS})

    @app.get("/v2/health/live")
    async def live() -> Response:
        return _json({"live": True})

    @app.get("/v2/health/ready")
    async def ready() -> Response:
        if served.is_every_model_served():
            return _json({"ready": True})
        return error_response(HTTPStatus.SERVICE_UNAVAILABLE, served.fault() or "models load")


def _add_model_routes(
    app: FastAPI, settings: InferenceSettings, served: ServedModels, service: InferenceService
) -> None:
    # It stands before the paths with a name, which would take `stats` for one.
    @app.get("/v2/models/stats")
    async def all_statistics() -> Response:
        return _json({"model_stats": [one for name in served.names() for one in _stats(name)]})

    def _stats(name: str) -> list[dict[str, Any]]:
        return [
            service.statistics.of(name, version).report(name, version)
            for version in served.versions(name)
        ]

    @app.get(_MODEL)
    @app.get(_VERSION)
    async def model(name: str, model_version: str | None = None) -> Response:
        found = await served.describe(name, model_version)
        return _json(metadata(found, served.versions(name)))

    @app.get(f"{_MODEL}/ready")
    @app.get(f"{_VERSION}/ready")
    async def model_ready(name: str, model_version: str | None = None) -> Response:
        if served.is_ready(name, model_version):
            return _json({"name": name, "ready": True})
        return error_response(HTTPStatus.SERVICE_UNAVAILABLE, f"model {name} is not loaded")

    @app.get(f"{_MODEL}/config")
    @app.get(f"{_VERSION}/config")
    async def config(name: str, model_version: str | None = None) -> Response:
        return _json(configuration(await served.describe(name, model_version), settings))

    @app.get(f"{_MODEL}/stats")
    @app.get(f"{_VERSION}/stats")
    async def statistics(name: str, model_version: str | None = None) -> Response:
        if model_version is None:
            served.versions(name)
            return _json({"model_stats": _stats(name)})
        found = await served.describe(name, model_version)
        report = service.statistics.of(name, found.id.version).report(name, found.id.version)
        return _json({"model_stats": [report]})

    @app.post(f"{_MODEL}/infer")
    @app.post(f"{_VERSION}/infer")
    async def infer(request: Request, name: str, model_version: str | None = None) -> Response:
        return await service.infer(request, name, model_version)


def _add_repository_routes(app: FastAPI, settings: InferenceSettings, served: ServedModels) -> None:
    # Its own bound: a model can be loaded and looked at while inference is busy.
    admission = Admission(_REPOSITORY_REQUESTS, settings.max_request_bytes)

    async def parameters(request: Request) -> dict[str, Any]:
        with admission.place() as place:
            body = await read_body(request, place, settings.max_request_bytes)
        return _object(body)

    @app.post("/v2/repository/index")
    async def index(request: Request) -> Response:
        only_ready = (await parameters(request)).get("ready", False)
        found = await served.index()
        return _json([one for one in found if not only_ready or one["state"] == "READY"])

    @app.post("/v2/repository/models/{name}/load", dependencies=[_OPERATOR])
    async def load(request: Request, name: str) -> Response:
        given = (await parameters(request)).get("parameters") or {}
        if given:
            raise malformed(
                f"load takes no parameters here ({', '.join(map(str, given))}): a model comes "
                "into the store by `imustream models push`, with its configuration"
            )
        await served.load(name)
        return _json({})

    @app.post("/v2/repository/models/{name}/unload", dependencies=[_OPERATOR])
    async def unload(request: Request, name: str) -> Response:
        await parameters(request)
        await served.unload(name)
        return _json({})


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body) if body else {}
    except orjson.JSONDecodeError as error:
        raise malformed(f"the request is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise malformed("the request must be a JSON object")
    return found


def _json(content: Any) -> Response:
    return Response(orjson.dumps(content), media_type="application/json")


def _version() -> str:
    try:
        return version("imustream")
    except PackageNotFoundError:
        return "unpackaged"
