"""The API's description, completed: who may ask, and the problems that every route may answer.

What holds for all routes is added here, once, so that no route can forget it.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from serve.auth import COOKIE
from serve.edge.idempotency_key import IDEMPOTENCY_KEY
from serve.openapi_examples import complete_examples, show_examples
from serve.problems import MEDIA_TYPE, Problem

_SCHEMA = {"$ref": "#/components/schemas/Problem"}
_METHODS = ("get", "put", "post", "patch", "delete")
_SAFE = "get"
_API = "/api/v1/"
_SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"cookie": []}]
_IDEMPOTENCY_KEY = {
    "name": IDEMPOTENCY_KEY,
    "in": "header",
    "required": False,
    "description": "A text of your own for this one change: sent again with it, it is not done "
    "again, but answered as the first time.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
    "example": "4f5c0f6e-2f3b-4a58-9b1a-0e6b7a9d9c11",
}
_SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A token in `Authorization: Bearer`, as programs carry it.",
    },
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "The cookie that the link of `imustream link` leads to.",
    },
}
_DETAILS = {
    HTTPStatus.BAD_REQUEST: "The body cannot be read.",
    HTTPStatus.UNAUTHORIZED: "You are not logged in.",
    HTTPStatus.FORBIDDEN: "This needs the role operator; yours is viewer.",
    HTTPStatus.NOT_FOUND: "There is no sensor 'sensor9'.",
    HTTPStatus.CONFLICT: "It was changed by somebody else just now: look again, then decide.",
    HTTPStatus.PRECONDITION_FAILED: "It is not as it was when you read it: read it again.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "query.limit: Input should be greater than or equal to 1",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many requests: wait, then go on.",
    HTTPStatus.REQUEST_TIMEOUT: "The request body did not come in time.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body has more than 1048576 bytes.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Kafka does not answer: see that it runs.",
    HTTPStatus.GATEWAY_TIMEOUT: "No answer within 30 s.",
}
_TAGS = {
    "sensors": "What is known of each sensor, and the labels that people give it.",
    "sessions": "When sensors were in use, and what they measured then.",
    "pipelines": "What runs, how far behind, and whether anything was lost.",
    "dead-letters": "What could not be processed, and its way through once more.",
    "models": "The versions in the model store, and which of them serves.",
    "commands": "What devices are told to do, and what they answered.",
    "log-in": "Who asks, what they may do, and what was changed by whom.",
    "health": "Whether the service works.",
}


def operation_id(route: APIRoute) -> str:
    """Return the id of a route's operation, which generated clients name their calls by."""
    return route.name


def complete_openapi(app: FastAPI, open_paths: frozenset[str]) -> None:
    """Make ``app`` describe itself completely; ``open_paths`` ask for no log-in."""

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = completed(_plain(app), open_paths)
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]


def completed(api: dict[str, Any], open_paths: frozenset[str]) -> dict[str, Any]:
    """Return a description with security, problems and the tags' own descriptions added."""
    components = api.setdefault("components", {})
    components["securitySchemes"] = _SCHEMES
    schemas = components.setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    api["security"] = _SECURITY
    for path, operations in api["paths"].items():
        for method in _METHODS:
            if method in operations:
                _complete(operations[method], path, method, is_open=path in open_paths)
    complete_examples(schemas)
    for operations in api["paths"].values():
        for operation in operations.values():
            show_examples(operation, schemas)
    used = {tag for one in api["paths"].values() for each in one.values() for tag in each["tags"]}
    api["tags"] = [
        {"name": tag, "description": _TAGS.get(tag, tag.capitalize())} for tag in sorted(used)
    ]
    return api


def _complete(operation: dict[str, Any], path: str, method: str, *, is_open: bool) -> None:
    operation.setdefault("tags", [_tag_of(path)])
    answers = operation["responses"]
    if is_open:
        operation["security"] = []
    else:
        answers.setdefault("401", {})
        answers.setdefault("429", {})
        if path.startswith(_API):
            answers.setdefault("503", {})
            answers.setdefault("504", {})
    if method != _SAFE:
        # What the layers before every change answer: its body, its Idempotency-Key, its subject.
        for status in ("400", "403", "408", "409", "413", "422"):
            answers.setdefault(status, {})
        operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
    for status, answer in answers.items():
        if int(status) >= HTTPStatus.BAD_REQUEST and not _has_own_model(answer):
            _describe(answer, HTTPStatus(int(status)))


def _tag_of(path: str) -> str:
    """Return the tag of a route that has said none: what it is about."""
    words = path.strip("/").split("/")
    return words[2] if path.startswith(_API) and len(words) > 2 else words[0] or "pages"


def _has_own_model(answer: Mapping[str, Any]) -> bool:
    """Whether a route has said itself what this answer holds; FastAPI's own 422 does not count."""
    schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
    return bool(schema) and not str(schema.get("$ref", "")).endswith("/HTTPValidationError")


def _describe(answer: dict[str, Any], status: HTTPStatus) -> None:
    answer["description"] = status.phrase
    example = {
        "type": "about:blank",
        "title": status.phrase,
        "status": int(status),
        "detail": _DETAILS.get(status, status.description or status.phrase),
        "instance": "/api/v1/sensors",
    }
    answer["content"] = {MEDIA_TYPE: {"schema": _SCHEMA, "example": example}}


def _plain(app: FastAPI) -> dict[str, Any]:
    return get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        servers=[{"url": "/"}],
    )
