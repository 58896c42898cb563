"""Commands to devices over REST: `/api/v1/sensors/{sensor_id}/commands`."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from pymongo import AsyncMongoClient

from pipelines.errors import DataError, UnavailableError
from pipelines.sensor_topic import sensor_id_fault
from pipelines.settings import Settings
from serve.command_channel import CommandChannel
from serve.command_store import CommandStore
from serve.device_commands import (
    MAX_EXPIRES_S,
    MAX_NAME_CHARACTERS,
    Document,
    State,
    command_document,
    command_message,
    shown,
)
from serve.principal import Principal, Role, principal_of, require_sensor, requires
from serve.problems import declared
from serve.sensor_path import SensorId

_MOST_A_PAGE = 200
_PREPARE_RETRY_S = 5.0
_COMMAND: dict[str, Any] = {
    "id": "7d1f4c0e5b7f4b0f8a3c5f2f0c0b9a11",
    "sensor_id": "sensor1",
    "name": "identify",
    "arguments": {"seconds": 3},
    "sent_us": 1_767_225_600_000_000,
    "expires_us": 1_767_225_660_000_000,
    "sent_by": "ada",
    "state": "replied",
    "reply": {"ok": True, "result": None},
    "replied_us": 1_767_225_600_300_000,
}


class NewCommand(BaseModel):
    """A command to send."""

    model_config = {
        "extra": "forbid",
        "json_schema_extra": {"examples": [{"name": "identify", "arguments": {"seconds": 3}}]},
    }

    name: str = Field(
        min_length=1, max_length=MAX_NAME_CHARACTERS, description="What the device knows it by."
    )
    arguments: dict[str, Any] = Field(
        default_factory=dict, description="At most 16 kB of JSON, for the device to read."
    )
    expires_s: float = Field(
        60, ge=1, le=MAX_EXPIRES_S, description="How long it may wait for the device, seconds."
    )


class ReplyReport(BaseModel):
    """What a device answered."""

    ok: bool
    result: Any = None


class CommandReport(BaseModel):
    """A command and how far it is; times in microseconds since the epoch."""

    model_config = ConfigDict(json_schema_extra={"examples": [_COMMAND]})

    id: str
    sensor_id: str
    name: str
    arguments: dict[str, Any]
    sent_us: int
    expires_us: int
    sent_by: str
    state: Literal["sent", "acknowledged", "replied", "expired"] = Field(
        description="sent: no device was subscribed, so it will not arrive; acknowledged: the "
        "broker has it for a device; replied; expired: its time is over without a reply."
    )
    reply: ReplyReport | None
    replied_us: int | None


class CommandsReport(BaseModel):
    """A page of commands, the last sent first."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"commands": [_COMMAND], "next_cursor": None}]}
    )

    commands: list[CommandReport]
    next_cursor: str | None = Field(description="The `cursor` of the next page; null at the end.")


def command_routes(settings: Settings, mongo: AsyncMongoClient[Any]) -> APIRouter:
    """Return the routes; while the application runs they keep a connection to the broker."""
    store = CommandStore(mongo, settings.mongo)
    channel = CommandChannel(settings.mqtt, store.replied)

    @contextlib.asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        channel.start()
        preparing = asyncio.create_task(_prepared(store))
        try:
            yield
        finally:
            preparing.cancel()
            await channel.stop()

    router = APIRouter(
        prefix="/api/v1/sensors/{sensor_id}/commands", tags=["commands"], lifespan=lifespan
    )

    async def reports(sensor_id: str, commands: Sequence[Document]) -> list[CommandReport]:
        replies = await store.replies(sensor_id, commands)
        now_us = time.time_ns() // 1000
        return [
            CommandReport.model_validate(shown(one, replies.get(one["_id"]), now_us))
            for one in commands
        ]

    @router.post(
        "",
        status_code=HTTPStatus.ACCEPTED,
        summary="Send a device a command",
        responses=declared(404),
    )
    async def send_command(
        sensor_id: SensorId,
        command: NewCommand,
        principal: Annotated[Principal, Depends(requires(Role.OPERATOR))],
    ) -> CommandReport:
        _require(principal, sensor_id)
        now_us = time.time_ns() // 1000
        try:
            document = command_document(
                uuid.uuid4().hex,
                sensor_id,
                command.name,
                command.arguments,
                now_us,
                command.expires_s,
                principal.subject,
            )
        except DataError as error:
            raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
        # Written down first: the reply may be quicker than we are.
        await store.add(document)
        if await channel.send(sensor_id, command_message(document), command.expires_s):
            await store.acknowledged(document["_id"])
            document["state"] = State.ACKNOWLEDGED.value
        (report,) = await reports(sensor_id, [document])
        return report

    @router.get(
        "", summary="The commands of a device, the last sent first", responses=declared(404)
    )
    async def list_commands(
        sensor_id: SensorId,
        principal: Annotated[Principal, Depends(principal_of)],
        limit: Annotated[int, Query(description="Commands a page.", ge=1, le=_MOST_A_PAGE)] = 50,
        cursor: Annotated[
            str | None,
            Query(description="`next_cursor` of the page before.", pattern=r"^[0-9]{1,18}$"),
        ] = None,
    ) -> CommandsReport:
        _require(principal, sensor_id)
        before_us = None if cursor is None else int(cursor)
        found = await store.latest(sensor_id, limit, before_us)
        return CommandsReport(
            commands=await reports(sensor_id, found),
            next_cursor=str(found[-1]["sent_us"]) if len(found) == limit else None,
        )

    @router.get("/{id}", summary="One command", responses=declared(404))
    async def get_command(
        sensor_id: SensorId,
        id: Annotated[str, Path(description="The command's id.", max_length=64)],
        principal: Annotated[Principal, Depends(principal_of)],
    ) -> CommandReport:
        _require(principal, sensor_id)
        found = await store.find(sensor_id, id)
        if found is None:
            raise HTTPException(
                HTTPStatus.NOT_FOUND, f"There is no command {id!r} to {sensor_id!r}."
            )
        (report,) = await reports(sensor_id, [found])
        return report

    return router


async def _prepared(store: CommandStore) -> None:
    """Make the index as soon as the database answers."""
    while True:
        try:
            await store.prepare()
            return
        except UnavailableError:
            await asyncio.sleep(_PREPARE_RETRY_S)


def _require(principal: Principal, sensor_id: str) -> None:
    """Refuse what can be no sensor, and sensors outside the principal's scope."""
    fault = sensor_id_fault(sensor_id)
    if fault is not None:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, f"The sensor id {fault}.")
    require_sensor(principal, sensor_id)
