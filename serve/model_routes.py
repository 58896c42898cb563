"""Models over REST: what the store holds, which version serves, and the choice of another."""

import asyncio
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, HTTPException, Path
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from serve.etags import names, quoted
from serve.model_reader import ChangedError, ModelReader, tag_of_model
from serve.principal import Role, principal_of, requires
from serve.problems import declared

_VERSION: dict[str, Any] = {
    "version": "1",
    "sha256": "9cc78e3bfe717dbad33b3900649f2da4ccd3117ed5fea99c39e19a7271a3fbf0",
    "description": "Speed of a body and whether it moves.",
    "metrics": {"velocity_rmse_m_s": 0.1941, "moving_accuracy": 0.9958},
    "training": {"seed": 0, "bodies": 1024},
    "fault": None,
}
_MODEL: dict[str, Any] = {
    "name": "velocity",
    "stable": "1",
    "candidate": None,
    "previous": None,
    "versions": [_VERSION],
}
_Name = Annotated[str, Path(description="The model's name.", max_length=64, examples=["velocity"])]
_IfMatch = Annotated[
    str | None, Header(description="An `ETag`: do it only if the model is still so.")
]


class ModelVersion(BaseModel):
    """One version, as its `model.json` describes it."""

    version: str
    sha256: str | None = Field(description="Of its `model.onnx`.")
    description: str | None
    metrics: dict[str, float]
    training: dict[str, Any] = Field(description="Facts of its training.")
    fault: str | None = Field(description="Why it cannot be loaded; null where it can.")


class ModelReport(BaseModel):
    """A model: which versions there are, and which of them serves."""

    model_config = ConfigDict(json_schema_extra={"examples": [_MODEL]})

    name: str
    stable: str | None = Field(description="The version that serves.")
    candidate: str | None
    previous: str | None = Field(description="What a rollback returns to.")
    versions: list[ModelVersion] = Field(description="The oldest first.")


class ModelsReport(BaseModel):
    """All models, in the order of their names."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"models": [_MODEL]}]})

    models: list[ModelReport]


class Promotion(BaseModel):
    """Which version is to serve."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"version": "2"}]})

    version: str = Field(min_length=1, max_length=9, pattern=r"^[1-9][0-9]*$")


def model_routes(reader: ModelReader) -> APIRouter:
    """Return the routes `/api/v1/models...`."""
    router = APIRouter(
        prefix="/api/v1/models", tags=["models"], dependencies=[Depends(principal_of)]
    )

    @router.get("", summary="All models of the store")
    async def list_models() -> ModelsReport:
        """With their versions, and what each was measured at."""
        return ModelsReport.model_validate({"models": await asyncio.to_thread(reader.models)})

    @router.get(
        "/{name}",
        summary="One model",
        response_model=ModelReport,
        responses={304: {"description": "It is as it was."}, **declared(404)},
    )
    async def get_model(
        name: _Name,
        if_none_match: Annotated[str | None, Header(description="The `ETag` of before.")] = None,
    ) -> Response:
        """Its `ETag` changes with a promotion, a rollback, and a new version."""
        return _answer(await asyncio.to_thread(reader.model, name), if_none_match)

    @router.post(
        "/{name}/promote",
        summary="Make a version the one that serves",
        response_model=ModelReport,
        responses=declared(404, 412),
        dependencies=[Depends(requires(Role.ADMIN))],
    )
    async def promote_model(
        name: _Name, promotion: Promotion, if_match: _IfMatch = None
    ) -> Response:
        """What serves the model loads the version, warms it up and then switches.

        No request is dropped, and no prediction is of two models.
        """
        return await _changed(lambda: reader.promote(name, promotion.version, if_match))

    @router.post(
        "/{name}/rollback",
        summary="Return to the version that served before",
        response_model=ModelReport,
        responses=declared(404, 412),
        dependencies=[Depends(requires(Role.ADMIN))],
    )
    async def roll_back_model(name: _Name, if_match: _IfMatch = None) -> Response:
        """A second rollback undoes the first."""
        return await _changed(lambda: reader.roll_back(name, if_match))

    return router


async def _changed(change: Callable[[], dict[str, Any]]) -> Response:
    try:
        return _answer(await asyncio.to_thread(change), None)
    except ChangedError:
        raise HTTPException(
            HTTPStatus.PRECONDITION_FAILED,
            "The model was changed since you read it: read it again, then decide.",
        ) from None


def _answer(model: dict[str, Any], if_none_match: str | None) -> Response:
    tag = tag_of_model(model)
    headers = {"ETag": quoted(tag), "Cache-Control": "private, no-cache"}
    if names(if_none_match, tag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(json.dumps(model), media_type="application/json", headers=headers)
