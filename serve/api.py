"""Serve application `api`: sensors, sessions, pipelines, health, log-in, and the dashboard."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version

from fastapi import FastAPI
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict
from ray import serve
from ray.serve.schema import ApplicationStatus

from pipelines.archive.object_store import open_store as open_archive
from pipelines.logs import configure_logging
from pipelines.models import serving_names
from pipelines.models.store import open_store as open_model_store
from pipelines.settings import Settings
from serve import live
from serve.command_routes import command_routes
from serve.dead_letters import dead_letter_routes
from serve.device_page_routes import device_page_routes
from serve.edge.audit_log import open_audit_log
from serve.edge.audit_routes import audit_routes
from serve.edge.counters import Counters, MemoryCounters
from serve.edge.layers import add_layers
from serve.edge.shared_counters import SharedCounters
from serve.gate import OPEN_PATHS
from serve.health import (
    Check,
    KafkaCheck,
    MongoCheck,
    MqttCheck,
    PartHealth,
    Readiness,
    pipeline_health,
    readiness,
)
from serve.history.reader import HistoryReader
from serve.history.replay import Replay
from serve.history.routes import history_routes
from serve.identity_routes import identity_routes
from serve.label_store import COLLECTION as LABELS
from serve.label_store import LabelStore
from serve.login import login_routes
from serve.model_reader import ModelReader
from serve.model_routes import model_routes
from serve.mongo import mongo_client
from serve.observation import PIPELINES, Observation
from serve.one_time import COLLECTION, UsedCodes
from serve.openapi import complete_openapi, operation_id
from serve.pages import add_pages
from serve.pipeline_routes import pipeline_routes
from serve.problems import report_problems
from serve.sensor_routes import sensor_routes
from serve.session_reader import SessionReader
from serve.sessions import session_routes
from serve.unknown_paths import refuse_unknown_paths

NAME = "api"
ROUTE_PREFIX = "/"

_MOST_REQUESTS = 200
_THREADS = 32
"""Questions to servers under way at once. By default there are six on two cores: with Kafka away
those that wait for it would keep the others from being asked."""
_DESCRIPTION = (
    "Sensors, sessions, pipelines and models of imustream. Every request needs a log-in, but "
    "`/health/live`: the cookie that `imustream link` leads to, or `Authorization: Bearer` with a "
    "token. Live data come over WebSockets: `/ws`, where a client subscribes, or one stream such "
    "as `/ws/transformed/{sensor}?max_hz=30`; docs/websocket-protocol.md is their protocol. "
    "Errors are `application/problem+json`."
)


class Liveness(BaseModel):
    """That this replica answers."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"live": True}]})

    live: bool = True


def api_app(
    settings: Settings,
    observation: Observation,
    applications: Mapping[str, Check],
    counters: Counters | None = None,
) -> FastAPI:
    """Return the application.

    applications: say whether the others run
    counters: how often each client has asked; by default only this process counts
    """
    mongo = mongo_client(settings)
    database = mongo[settings.mongo.database]
    sessions = SessionReader(settings.mongo)
    labels = LabelStore(database[LABELS])
    history = HistoryReader(
        settings.kafka, settings.history, open_archive(settings), observation.archived_below
    )
    replay = Replay(history)

    checks: dict[str, Check] = {
        "kafka": KafkaCheck(settings.kafka),
        "mongodb": MongoCheck(mongo),
        "mqtt": MqttCheck(settings.mqtt),
        **{name: _pipeline_check(observation, name) for name in PIPELINES},
        **applications,
    }

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS, "ask"))
        observation.start()
        try:
            yield
        finally:
            await asyncio.to_thread(observation.stop)
            await mongo.close()
            await sessions.close()

    app = FastAPI(
        title="imustream",
        version=_version(),
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=operation_id,
    )
    used = UsedCodes(database[COLLECTION])
    entries = open_audit_log(settings, database)
    counters = counters or MemoryCounters()
    add_layers(app, settings, database, used=used, entries=entries, counters=counters)
    report_problems(app)
    app.include_router(login_routes(settings, used))
    app.include_router(audit_routes(entries))
    app.include_router(identity_routes(settings))
    _add_health(app, checks)
    app.include_router(sensor_routes(observation, labels))
    app.include_router(session_routes(sessions))
    app.include_router(command_routes(settings, mongo))
    app.include_router(device_page_routes(settings))
    app.include_router(history_routes(settings.history, sessions, replay))
    app.include_router(pipeline_routes(settings.kafka, observation))
    app.include_router(model_routes(ModelReader(open_model_store(settings))))
    app.include_router(dead_letter_routes(settings.kafka, observation.redriven))
    refuse_unknown_paths(app)
    add_pages(app)
    complete_openapi(app, OPEN_PATHS)
    return app


def _add_health(app: FastAPI, checks: dict[str, Check]) -> None:
    @app.get("/health/live", tags=["health"], summary="Does this process answer? Open to all")
    async def health_live() -> Liveness:
        return Liveness()

    @app.get(
        "/health/ready",
        tags=["health"],
        summary="Which parts are ready?",
        responses={HTTPStatus.SERVICE_UNAVAILABLE: {"model": Readiness}},
    )
    async def health_ready(response: Response) -> Readiness:
        found = await readiness(checks)
        if not found.ready:
            response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return found


def _pipeline_check(observation: Observation, name: str) -> Check:
    async def check() -> PartHealth:
        return pipeline_health(await asyncio.to_thread(observation.pipeline, name))

    return check


def _version() -> str:
    try:
        return version("imustream")
    except PackageNotFoundError:
        return "unpackaged"


async def _application_health(name: str) -> PartHealth:
    status = await asyncio.to_thread(serve.status)
    application = status.applications.get(name)
    if application is None:
        return PartHealth(ready=False, detail="not deployed; run `python -m serve`")
    return PartHealth(
        ready=application.status == ApplicationStatus.RUNNING,
        detail=application.message or application.status.value.lower(),
    )


@serve.deployment(
    name="Api",
    max_ongoing_requests=_MOST_REQUESTS,
    graceful_shutdown_timeout_s=1,
    health_check_period_s=1,
    ray_actor_options={"num_cpus": 0},
)
@serve.ingress()
class Api:
    """A replica of `api`."""

    def __init__(self, settings: Settings) -> None:
        configure_logging(settings, NAME)
        self._settings = settings
        self._observation = Observation(settings)

    def __serve_build_asgi_app__(self) -> FastAPI:
        """Return the application; Serve calls this in the replica."""
        others = (live.NAME, serving_names.APPLICATION)
        checks = {name: partial(_application_health, name) for name in others}
        counters = SharedCounters(self._settings.ray)
        return api_app(self._settings, self._observation, checks, counters)

    def check_health(self) -> None:
        """Tell Serve whether this replica works; Serve calls it every second."""
        self._observation.check()


def api_application(settings: Settings) -> serve.Application:
    """Return the application to deploy at ``ROUTE_PREFIX``."""
    return Api.bind(settings)  # type: ignore[attr-defined,no-any-return]
