"""Sensors over REST: a list, page by page; each by its id; and the labels that people give them."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Header, HTTPException, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, field_validator

from serve import cursors
from serve.etags import names, quoted, tag_of
from serve.label_store import Labelled, LabelStore
from serve.observation import Observation
from serve.principal import Principal, Role, principal_of, require_sensor, requires
from serve.problems import declared
from serve.sensor_labels import MOST_LABELS, fault_of_key, fault_of_value
from serve.sensor_path import SensorId
from serve.sensor_query import A_PAGE, MOST_A_PAGE, SensorQuery, State, page_of

_SENSOR: dict[str, Any] = {
    "sensor_id": "sensor1",
    "partition": 3,
    "state": "live",
    "boot": 0,
    "samples": 1_209_600,
    "gaps": 2,
    "gaps_filled": 1,
    "duplicates": 4,
    "late": 0,
    "dead_letters": 0,
    "clock_steps": 0,
    "rate_hz": 199.9,
    "last_timestamp_us": 1_767_225_600_000_000,
    "last_received_us": 1_767_225_600_040_000,
    "clock_offset_us": -40_000,
    "labels": {"room": "gym", "body": "left wrist"},
}
_MOST_CHANGES = 4 * MOST_LABELS
_LONGEST_TEXT = 400


class SensorSummary(BaseModel):
    """What is known of a sensor; counts are since it was first seen."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [_SENSOR]})

    sensor_id: str
    partition: int
    state: str = Field(description="live, or silent: no frame for ten seconds.")
    boot: int = Field(description="How often its numbering restarted.")
    samples: int
    gaps: int
    gaps_filled: int
    duplicates: int
    late: int
    dead_letters: int
    clock_steps: int
    rate_hz: float
    last_timestamp_us: int = Field(description="By its own clock, since the epoch.")
    last_received_us: int
    clock_offset_us: int = Field(description="Its clock less the bridge's, the way included.")
    labels: dict[str, str]


class SensorsReport(BaseModel):
    """Sensors, in the order of their ids."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"sensors": [_SENSOR], "next_cursor": None, "labels_known": True}]
        }
    )

    sensors: list[SensorSummary]
    next_cursor: str | None = Field(description="The `cursor` of the next page; null at the end.")
    labels_known: bool = Field(
        description="False where MongoDB has never answered: labels are empty then."
    )


class SensorChange(BaseModel):
    """A merge patch (RFC 7396): a label that is null is taken away, the others are set."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"labels": {"room": "gym", "wearer": None}}]},
    )

    labels: dict[str, str | None] = Field(
        max_length=_MOST_CHANGES,
        description=f"By name; a sensor has at most {MOST_LABELS}. Names have 1 to 64 characters, "
        "values at most 256.",
    )

    @field_validator("labels")
    @classmethod
    def _are_labels(cls, labels: dict[str, str | None]) -> dict[str, str | None]:
        for key, value in labels.items():
            fault = fault_of_key(key) or (None if value is None else fault_of_value(value))
            if fault is not None:
                raise ValueError(f"{key[:80]!r}: {fault}")
        return labels


def sensor_routes(observation: Observation, labels: LabelStore) -> APIRouter:
    """Return the routes `/api/v1/sensors` and `/api/v1/sensors/{sensor_id}`."""
    router = APIRouter(prefix="/api/v1/sensors", tags=["sensors"])

    @router.get("", summary="Sensors, in the order of their ids", response_model=SensorsReport)
    async def list_sensors(
        principal: Annotated[Principal, Depends(principal_of)],
        q: Annotated[
            str | None,
            Query(
                description="Only those whose id, or a label as `name=value`, holds this text.",
                max_length=_LONGEST_TEXT,
                examples=["room=gym"],
            ),
        ] = None,
        state: Annotated[State | None, Query(description="Only live or only silent ones.")] = None,
        limit: Annotated[int, Query(description="Sensors a page.", ge=1, le=MOST_A_PAGE)] = A_PAGE,
        cursor: Annotated[
            str | None,
            Query(description="`next_cursor` of the page before.", max_length=cursors.LONGEST),
        ] = None,
    ) -> Response:
        """Every figure is of the moment; poll as often as once a second."""
        found = await asyncio.to_thread(observation.sensors)
        labelled = await labels.all()
        query = SensorQuery(q, state, limit, cursor)
        of_sensor = {sensor_id: each.labels for sensor_id, each in (labelled or {}).items()}
        page = page_of(found, of_sensor, query, principal.may_see)
        body = {**page._asdict(), "labels_known": labelled is not None}
        return Response(orjson.dumps(body), media_type="application/json")

    @router.get(
        "/{sensor_id}",
        summary="One sensor",
        response_model=SensorSummary,
        responses={304: {"description": "It is as it was."}, **declared(404)},
    )
    async def get_sensor(
        sensor_id: SensorId,
        principal: Annotated[Principal, Depends(principal_of)],
        if_none_match: Annotated[str | None, Header(description="The `ETag` of before.")] = None,
    ) -> Response:
        """`ETag` changes with every figure; `If-None-Match` saves sending what is as it was."""
        sensor = await _sensor(sensor_id, principal)
        return _answer(sensor, await labels.of(sensor_id), if_none_match)

    @router.patch(
        "/{sensor_id}",
        summary="Set labels of a sensor, or take them away",
        response_model=SensorSummary,
        responses=declared(404, 412),
    )
    async def label_sensor(
        sensor_id: SensorId,
        change: SensorChange,
        principal: Annotated[Principal, Depends(requires(Role.OPERATOR))],
        if_match: Annotated[
            str | None,
            Header(description="An `ETag`: change the labels only if they are still those."),
        ] = None,
    ) -> Response:
        """Labels that are not named stay. `If-Match` holds the labels alone against the tag.

        The other figures change with every frame; nobody could match them.
        """
        sensor = await _sensor(sensor_id, principal)

        def matches(before: Labelled) -> None:
            if if_match is not None and not _same_labels(if_match, before):
                raise HTTPException(
                    HTTPStatus.PRECONDITION_FAILED,
                    f"The labels of {sensor_id!r} were changed since you read them: read them "
                    "again, then decide.",
                )

        return _answer(sensor, await labels.change(sensor_id, change.labels, matches), None)

    async def _sensor(sensor_id: str, principal: Principal) -> Mapping[str, Any]:
        require_sensor(principal, sensor_id)
        found = await asyncio.to_thread(observation.sensor, sensor_id)
        if found is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, f"There is no sensor {sensor_id!r}.")
        return found

    return router


def _answer(sensor: Mapping[str, Any], labelled: Labelled, if_none_match: str | None) -> Response:
    body = orjson.dumps({**sensor, "labels": labelled.labels})
    tag = f"{labelled.revision}.{tag_of(body)}"
    headers = {"ETag": quoted(tag), "Cache-Control": "private, no-cache"}
    if names(if_none_match, tag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def _same_labels(if_match: str, labelled: Labelled) -> bool:
    """Whether a tag's first part, the labels' revision, is still theirs."""
    tags = [part.strip().strip('"') for part in if_match.split(",")]
    return "*" in tags or any(tag.partition(".")[0] == str(labelled.revision) for tag in tags)
