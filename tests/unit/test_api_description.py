"""The API describes itself completely, and lets nobody do what is not theirs to do."""

from collections.abc import Iterator
from typing import Any, cast

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from jsonschema import Draft202012Validator
from pymongo import AsyncMongoClient
from starlette.types import ASGIApp, Receive, Scope, Send

from pipelines.errors import ConflictError, DataError, NotFoundError, UnavailableError
from pipelines.models.store import open_store
from pipelines.settings import Settings
from serve.api import api_app
from serve.label_store import LabelStore
from serve.model_reader import ModelReader
from serve.model_routes import model_routes
from serve.observation import Observation
from serve.pipeline_routes import pipeline_routes
from serve.principal import SCOPE_KEY, Principal, Role
from serve.problems import MEDIA_TYPE, problem, report_problems
from serve.sensor_routes import sensor_routes

Operation = tuple[str, str, dict[str, Any]]


@pytest.fixture(scope="module")
def api() -> dict[str, Any]:
    settings = Settings()
    return api_app(settings, Observation(settings), {}).openapi()


def _operations(api: dict[str, Any]) -> Iterator[Operation]:
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def _json_parts(api: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The JSON that routes take and give: where, and its description."""
    for method, path, operation in _operations(api):
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        answers = [a for status, a in operation["responses"].items() if int(status) < 300]
        for part in (*bodies, *answers):
            for kind, content in part.get("content", {}).items():
                if kind == "application/json" and path.startswith(("/api/", "/health/")):
                    yield f"{method} {path}", content


def test_every_operation_has_a_name_of_its_own_words_and_a_tag(api: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, _, operation in _operations(api)]
    assert len(ids) == len(set(ids)) >= 18
    tags = {tag["name"] for tag in api["tags"] if tag["description"]}
    for method, path, operation in _operations(api):
        assert operation["summary"], (method, path)
        assert set(operation["tags"]) <= tags, (method, path)
        assert operation["operationId"].isidentifier()
        for parameter in operation.get("parameters", []):
            if path.startswith("/api/"):
                assert parameter.get("description"), (method, path, parameter["name"])


def test_what_is_sent_and_answered_has_an_example_that_is_right(api: dict[str, Any]) -> None:
    parts = list(_json_parts(api))
    assert len(parts) >= 18
    for where, content in parts:
        schema = {**content["schema"], "components": api["components"]}
        Draft202012Validator.check_schema(schema)
        assert "example" in content, where
        Draft202012Validator(schema).validate(content["example"])


def test_every_error_is_described_as_a_problem(api: dict[str, Any]) -> None:
    for method, path, operation in _operations(api):
        answers = operation["responses"]
        for status, answer in answers.items():
            if int(status) >= 400 and path.startswith("/api/"):
                assert list(answer["content"]) == [MEDIA_TYPE], (method, path, status)
        if path.startswith("/api/"):
            assert {"401", "503"} <= answers.keys(), (method, path)
        if method != "get":
            assert {"400", "403", "409", "413"} <= answers.keys(), (method, path)
            assert "Idempotency-Key" in [each["name"] for each in operation["parameters"]]


def test_every_path_but_the_open_ones_asks_for_a_log_in(api: dict[str, Any]) -> None:
    assert {"bearer", "cookie"} <= api["components"]["securitySchemes"].keys()
    assert api["security"]
    open_paths = {
        path for _, path, operation in _operations(api) if operation.get("security") == []
    }
    assert open_paths == {"/health/live", "/login"}


def _client(role: Role) -> TestClient:
    """The routes that change something, as somebody asks them whom a gate has let in."""
    settings = Settings()
    observation = Observation(settings)
    app = FastAPI()
    report_problems(app)
    database = AsyncMongoClient[dict[str, Any]](connect=False)["none"]
    app.include_router(sensor_routes(observation, LabelStore(database["labels"])))
    app.include_router(pipeline_routes(settings.kafka, observation))
    app.include_router(model_routes(ModelReader(open_store(settings))))
    principal = Principal("somebody", role, ("mine-*",), 2e9)

    async def asked(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, SCOPE_KEY: principal}, receive, send)

    return TestClient(cast(ASGIApp, asked))


OF_OPERATORS = (
    ("PATCH", "/api/v1/sensors/mine-1", {"labels": {}}),
    ("POST", "/api/v1/pipelines/archive/pause", None),
    ("POST", "/api/v1/pipelines/archive/resume", None),
)
OF_ADMINS = (
    ("POST", "/api/v1/models/velocity/promote", {"version": "1"}),
    ("POST", "/api/v1/models/velocity/rollback", None),
)


@pytest.mark.parametrize(("method", "path", "body"), OF_OPERATORS + OF_ADMINS)
def test_a_viewer_changes_nothing(method: str, path: str, body: Any) -> None:
    answer = _client(Role.VIEWER).request(method, path, json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (403, MEDIA_TYPE)
    assert "viewer" in answer.json()["detail"]


@pytest.mark.parametrize(("method", "path", "body"), OF_ADMINS)
def test_an_operator_does_not_what_is_an_admins(method: str, path: str, body: Any) -> None:
    assert _client(Role.OPERATOR).request(method, path, json=body).status_code == 403


def test_a_sensor_that_is_not_for_somebody_is_not_there() -> None:
    client = _client(Role.OPERATOR)
    for answer in (
        client.get("/api/v1/sensors/other-1"),
        client.patch("/api/v1/sensors/other-1", json={"labels": {}}),
    ):
        assert answer.status_code == 404
        assert "other-1" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (DataError("wrong"), 422),
        (NotFoundError("missing"), 404),
        (ConflictError("changed"), 409),
        (UnavailableError("away"), 503),
    ],
)
def test_errors_become_problems_of_their_kind(error: Exception, status: int) -> None:
    app = FastAPI()
    report_problems(app)

    @app.get("/fails/{what}")
    async def fails(what: str) -> None:
        raise error

    answer = TestClient(app).get("/fails/ä")
    assert (answer.status_code, answer.headers["content-type"]) == (status, MEDIA_TYPE)
    body = answer.json()
    assert body["status"] == status and body["type"] == "about:blank" and body["title"]
    assert body["instance"] == "/fails/%C3%A4"
    assert (answer.headers.get("retry-after") is not None) == (status == 503)


def test_a_problem_says_nothing_that_it_does_not_know() -> None:
    assert problem(404, "gone").body == (
        b'{"type":"about:blank","title":"Not Found","status":404,"detail":"gone"}'
    )
