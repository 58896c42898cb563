"""Serve application `inference`: HTTP in front (`Protocol`), the replicas that run models behind.

One replica of `Protocol` decides for all of `Model` which version is served, so that a switch is
one step; it holds no state that the store does not have, but which models were unloaded by hand.
"""

import contextlib
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from ray import serve
from ray.serve.handle import DeploymentHandle
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from pipelines.logs import configure_logging
from pipelines.models.store import open_store
from pipelines.settings import Settings
from serve.edge.audit import Audit
from serve.edge.audit_log import open_audit_log
from serve.edge.http_metrics import HttpMetrics
from serve.gate import Gate
from serve.inference.model_replica import model_application
from serve.inference.refusal import error_response
from serve.inference.replicas import Replicas
from serve.inference.routes import add_routes
from serve.inference.served_models import ServedModels
from serve.mongo import mongo_client
from serve.same_origin import changes_something

_SPARE_REQUESTS = 64
"""Requests above `inference.max_queue` that reach the replica, to be told that it is full."""
_REPOSITORY = "/v2/repository/models/"
_OPEN_PATHS = frozenset({"/v2/health/live"})


class _WholePaths:
    """Lets routes be written as the protocol writes them, with the prefix that Serve mounts at."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, "root_path": ""}, receive, send)


def _changes_what_is_served(method: str, path: str) -> bool:
    return changes_something(method) and path.startswith(_REPOSITORY)


def _refused(why: str, _: Headers) -> Response:
    return error_response(
        HTTPStatus.UNAUTHORIZED,
        f"{why} Send `Authorization: Bearer` with a token.",
        {"WWW-Authenticate": "Bearer"},
    )


def protocol_app(settings: Settings, handle: DeploymentHandle[Any]) -> FastAPI:
    """Return the protocol's side of the application."""
    replicas = Replicas(handle, settings.inference.timeout_s)
    served = ServedModels(
        open_store(settings), replicas, settings.inference.poll_s, settings.inference.timeout_s
    )

    mongo = mongo_client(settings)
    entries = open_audit_log(settings, mongo[settings.mongo.database])

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        served.start()
        try:
            yield
        finally:
            await served.stop()
            await mongo.close()

    app = FastAPI(lifespan=lifespan, openapi_url=None)
    app.add_middleware(Audit, entries=entries, is_audited=_changes_what_is_served)
    app.add_middleware(Gate, settings=settings, open_paths=_OPEN_PATHS, refused=_refused)
    app.add_middleware(HttpMetrics, application="inference")
    app.add_middleware(_WholePaths)
    add_routes(app, settings.inference, served, replicas)
    return app


@serve.deployment(
    name="Protocol",
    graceful_shutdown_timeout_s=1,
    # How soon a replica that was killed is missed and another started.
    health_check_period_s=1,
    ray_actor_options={"num_cpus": 0},
)
@serve.ingress()
class Protocol:
    """The replica that speaks HTTP."""

    def __init__(self, settings: Settings, models: DeploymentHandle[Any]) -> None:
        configure_logging(settings, "inference")
        self._settings = settings
        self._models = models

    def __serve_build_asgi_app__(self) -> FastAPI:
        """Return the application; Serve calls this in the replica."""
        return protocol_app(self._settings, self._models)


def inference_application(settings: Settings) -> serve.Application:
    """Return the application to deploy at ``serving_names.ROUTE_PREFIX``."""
    most = settings.inference.max_queue + _SPARE_REQUESTS
    deployment = Protocol.options(max_ongoing_requests=most)  # type: ignore[attr-defined]
    return deployment.bind(settings, model_application(settings))  # type: ignore[no-any-return]
