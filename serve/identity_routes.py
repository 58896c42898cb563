"""Routes about log-ins themselves: who am I, tickets for WebSockets, tokens for programs."""

import time
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, HTTPException
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from pipelines.errors import DataError
from pipelines.settings import Settings
from serve.auth import new_ticket, new_token
from serve.principal import Principal, Role, requires
from serve.token_claims import (
    MAX_PATTERN_CHARACTERS,
    MAX_PATTERNS,
    MAX_SUBJECT_CHARACTERS,
    require_own_subject,
    role_named,
)

RoleName = Literal["viewer", "operator", "admin"]
Pattern = Annotated[str, StringConstraints(min_length=1, max_length=MAX_PATTERN_CHARACTERS)]

_NO_STORE = "no-store"


class Me(BaseModel):
    """Who is logged in; ``sensors`` are patterns, null for all."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "subject": "ada",
                    "role": "operator",
                    "sensors": ["wearable-*"],
                    "expires_us": 1_767_225_600_000_000,
                }
            ]
        }
    )

    subject: str
    role: RoleName
    sensors: list[str] | None
    expires_us: int


class Ticket(BaseModel):
    """Opens one WebSocket, as in `/ws/raw/imu-1?ticket=...`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"ticket": "eyJhbGciOi...", "expires_us": 1_767_225_600_000_000}]
        }
    )

    ticket: str
    expires_us: int


class TokenWish(BaseModel):
    """Whom a token is for, and what it lets them do."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "subject": "notebook-of-ada",
                "role": "viewer",
                "sensors": ["wearable-*"],
                "hours": 24,
            }
        },
    )

    subject: str = Field(
        min_length=1, max_length=MAX_SUBJECT_CHARACTERS, description="Shown in the audit log."
    )
    role: RoleName
    sensors: list[Pattern] | None = Field(
        None, max_length=MAX_PATTERNS, description="Patterns of sensor ids; null for all."
    )
    hours: float = Field(gt=0, allow_inf_nan=False, description="How long it lasts.")

    @field_validator("subject")
    @classmethod
    def _own(cls, subject: str) -> str:
        try:
            require_own_subject(subject)
        except DataError as error:
            raise ValueError(str(error)) from None
        return subject


class Token(BaseModel):
    """To be sent as `Authorization: Bearer`; it is not shown again."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"token": "eyJhbGciOi..."}]})

    token: str


def identity_routes(settings: Settings) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api/v1", tags=["log-in"])

    @router.get("/me", summary="Who am I, and what may I do?")
    async def me(principal: Annotated[Principal, Depends(requires(Role.VIEWER))]) -> Me:
        return Me(
            subject=principal.subject,
            role=_name(principal.role),
            sensors=None if principal.sensors is None else list(principal.sensors),
            expires_us=int(principal.expires_s * 1e6),
        )

    @router.post("/tickets", summary="A ticket for one WebSocket", status_code=201)
    async def tickets(
        response: Response, principal: Annotated[Principal, Depends(requires(Role.VIEWER))]
    ) -> Ticket:
        """For browsers' pages of elsewhere, whose WebSockets carry no header.

        It works once, within a minute, and the WebSocket ends when your log-in does.
        """
        response.headers["Cache-Control"] = _NO_STORE
        ends_s = time.time() + settings.auth.ticket_s
        return Ticket(ticket=new_ticket(settings, principal), expires_us=int(ends_s * 1e6))

    @router.post("/tokens", summary="A token for a program", status_code=201)
    async def tokens(
        response: Response,
        wish: TokenWish,
        principal: Annotated[Principal, Depends(requires(Role.ADMIN))],
    ) -> Token:
        """The local issuer signs it. It cannot be taken back: give it few hours and few rights."""
        most = settings.auth.max_token_hours
        if wish.hours > most:
            raise HTTPException(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                f"body.hours: at most {most:g} (auth.max_token_hours)",
            )
        if principal.sensors is not None and not set(wish.sensors or ("*",)) <= set(
            principal.sensors
        ):
            raise HTTPException(
                HTTPStatus.FORBIDDEN, "You may give away only patterns of sensors that you have."
            )
        response.headers["Cache-Control"] = _NO_STORE
        sensors = None if wish.sensors is None else tuple(wish.sensors)
        token = new_token(settings, wish.hours, role_named(wish.role), sensors, wish.subject)
        return Token(token=token)

    return router


def _name(role: Role) -> RoleName:
    names: dict[Role, RoleName] = {
        Role.VIEWER: "viewer",
        Role.OPERATOR: "operator",
        Role.ADMIN: "admin",
    }
    return names[role]
