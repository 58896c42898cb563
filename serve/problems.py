"""Errors over HTTP, as `application/problem+json` (RFC 9457)."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from pipelines.errors import ConflictError, DataError, ImustreamError, NotFoundError

MEDIA_TYPE = "application/problem+json"
PLAIN = "about:blank"
"""The type of a problem that its status says all of (RFC 9457, 4.2.1)."""
INVALID = "urn:imustream:problem:invalid-request"
"""The type of a request that is not as the API describes it; its ``errors`` say where."""

_STATUS_OF: Mapping[type[ImustreamError], HTTPStatus] = {
    DataError: HTTPStatus.UNPROCESSABLE_ENTITY,
    NotFoundError: HTTPStatus.NOT_FOUND,
    ConflictError: HTTPStatus.CONFLICT,
}
"""Every other error of ours tells of a server that is away or a setting that is wrong: 503."""
_MOST_ERRORS = 20
_POINTED = "body"


class Fault(BaseModel):
    """One thing that is wrong with a request, and where."""

    detail: str
    pointer: str | None = Field(None, description="JSON Pointer into the body (RFC 6901).")
    loc: list[str | int] | None = Field(
        None, description="Where outside the body: `query`, `path`, `header`, then the name."
    )


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field(description="A URI of the kind of problem.")
    title: str = Field(description="The kind in words.")
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="What is wrong now, and what to do: a sentence for people.")
    instance: str | None = Field(None, description="The path that was asked for.")
    errors: list[Fault] | None = Field(None, description="Of an invalid request: each fault.")


class ProblemResponse(JSONResponse):
    """A problem on its way; the path that was asked for is put in when it is sent."""

    media_type = MEDIA_TYPE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        content = json.loads(bytes(self.body))
        content.setdefault("instance", quote(scope["path"], safe="/%:@!$&'()*+,;=~"))
        self.body = self.render(content)
        self.headers["content-length"] = str(len(self.body))
        await super().__call__(scope, receive, send)


def problem(
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    *,
    kind: str = PLAIN,
    errors: Sequence[Fault] | None = None,
) -> Response:
    """Return a response that says what went wrong; ``detail`` is a sentence for its reader."""
    title = HTTPStatus(status).phrase if kind == PLAIN else "The request is not as described"
    found = Problem(
        type=kind,
        title=title,
        status=status,
        detail=detail,
        errors=None if errors is None else list(errors),
    )
    return ProblemResponse(found.model_dump(exclude_none=True), status, headers)


def declared(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the ``responses`` of a route that may answer these statuses with a problem."""
    return {status: {"description": HTTPStatus(status).phrase} for status in statuses}


def faults_of(errors: Sequence[Any]) -> list[Fault]:
    """Return what pydantic found, each with its precise place; no more than twenty."""
    return [_fault(error) for error in errors[:_MOST_ERRORS]]


def report_problems(app: FastAPI) -> None:
    """Make ``app`` answer every error as a problem."""

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> Response:
        return problem(error.status_code, str(error.detail), error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        faults = faults_of(error.errors())
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        detail = "; ".join(f"{_place(fault)}: {fault.detail}" for fault in faults[:3])
        return problem(status, detail, kind=INVALID, errors=faults)

    @app.exception_handler(ImustreamError)
    async def failed(_: Request, error: ImustreamError) -> Response:
        status = _status_of(error)
        headers = {"Retry-After": "1"} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
        return problem(status, str(error), headers)


def _status_of(error: ImustreamError) -> HTTPStatus:
    for kind, status in _STATUS_OF.items():
        if isinstance(error, kind):
            return status
    return HTTPStatus.SERVICE_UNAVAILABLE


def _fault(error: Mapping[str, Any]) -> Fault:
    where, *rest = error["loc"] or ("request",)
    if error["type"] == "json_invalid":
        # Its place is a count of characters, which no pointer is.
        return Fault(detail=f"it is no JSON: {error.get('ctx', {}).get('error', '')}", pointer="")
    detail = str(error["msg"]).removeprefix("Value error, ")
    if where == _POINTED:
        return Fault(detail=detail, pointer="".join(f"/{_escaped(part)}" for part in rest))
    return Fault(detail=detail, loc=[where, *rest])


def _escaped(part: object) -> str:
    """Return a part of a JSON Pointer (RFC 6901, 3)."""
    return str(part).replace("~", "~0").replace("/", "~1")


def _place(fault: Fault) -> str:
    if fault.loc is None:
        return f"body{fault.pointer}"
    return ".".join(str(part) for part in fault.loc)
