"""Pipelines over REST: what each does, pause and resume, and the flow from MQTT to Parquet."""

import asyncio
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Path
from pydantic import BaseModel, ConfigDict, Field

from pipelines.control import change_control
from pipelines.errors import ConfigurationError, ConflictError
from pipelines.settings import KafkaSettings
from serve.flow import FlowReport
from serve.observation import PIPELINES, Observation
from serve.pipelines_report import PipelineReport, PipelinesReport
from serve.principal import Role, principal_of, requires
from serve.problems import declared

_CONTROL: dict[str, Any] = {
    "pipeline": "sensor-processing",
    "slots": 2,
    "generation": 5,
    "paused": True,
    "running_slots": 2,
    "previous_slots": 0,
    "model_channel": None,
}
_LONGEST_NAME = 64
_Name = Annotated[
    str,
    Path(
        description=f"One of {', '.join(PIPELINES)}.",
        max_length=_LONGEST_NAME,
        examples=["sensor-processing"],
    ),
]


class ControlRecord(BaseModel):
    """What is wanted of a pipeline, as it stands in pipeline-control."""

    model_config = ConfigDict(json_schema_extra={"examples": [_CONTROL]})

    pipeline: str
    slots: int = Field(description="Slots wanted.")
    generation: int
    paused: bool
    running_slots: int
    previous_slots: int
    model_channel: str | None = None


def pipeline_routes(settings: KafkaSettings, observation: Observation) -> APIRouter:
    """Return the routes `/api/v1/pipelines...` and `/api/v1/flow`."""
    router = APIRouter(prefix="/api/v1", tags=["pipelines"], dependencies=[Depends(principal_of)])
    _add_reports(router, observation)

    @router.post(
        "/pipelines/{name}/pause",
        summary="Stop a pipeline's slots after their present transaction",
        status_code=HTTPStatus.ACCEPTED,
        responses=declared(404),
        dependencies=[Depends(requires(Role.OPERATOR))],
    )
    async def pause_pipeline(name: _Name) -> ControlRecord:
        """Nothing is lost: its input waits in Kafka. The supervisor does it within seconds."""
        return await _wish(name, paused=True)

    @router.post(
        "/pipelines/{name}/resume",
        summary="Start a paused pipeline's slots where they stopped",
        status_code=HTTPStatus.ACCEPTED,
        responses=declared(404),
        dependencies=[Depends(requires(Role.OPERATOR))],
    )
    async def resume_pipeline(name: _Name) -> ControlRecord:
        """The supervisor does it within seconds."""
        return await _wish(name, paused=False)

    async def _wish(name: str, *, paused: bool) -> ControlRecord:
        _require(name)
        return await asyncio.to_thread(_change, settings, name, paused)

    return router


def _add_reports(router: APIRouter, observation: Observation) -> None:
    @router.get("/pipelines", summary="All pipelines: slots, lag, rates, last commit")
    async def list_pipelines() -> PipelinesReport:
        """In the order of the flow; those that end outside Kafka last."""
        return PipelinesReport(pipelines=await asyncio.to_thread(observation.pipelines))

    @router.get("/pipelines/{name}", summary="One pipeline", responses=declared(404))
    async def get_pipeline(name: _Name) -> PipelineReport:
        """What it is to do, what runs, how fast and how far behind."""
        _require(name)
        return await asyncio.to_thread(observation.pipeline, name)

    @router.get("/flow", summary="The flow from MQTT to Parquet, and whether its books balance")
    async def get_flow() -> FlowReport:
        """Each stage's rates, lag and cumulative counts; what nobody knows is null."""
        return await asyncio.to_thread(observation.flow)


def _require(name: str) -> None:
    if name not in PIPELINES:
        raise HTTPException(
            HTTPStatus.NOT_FOUND, f"There is no pipeline {name!r}, but {', '.join(PIPELINES)}."
        )


def _change(settings: KafkaSettings, name: str, paused: bool) -> ControlRecord:
    try:
        record = change_control(settings, name, paused=paused)
    except ConfigurationError as error:
        raise ConflictError(str(error)) from None
    fields: dict[str, Any] = msgspec.to_builtins(record)
    return ControlRecord.model_validate(fields)
