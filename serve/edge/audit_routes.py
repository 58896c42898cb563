"""Route `/api/v1/audit`: the audit log, for an admin."""

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query
from pydantic import BaseModel, ConfigDict

from pipelines.errors import DataError
from serve.edge.audit_log import AuditLog
from serve.principal import Principal, Role, requires

_MOST = 1_000


class AuditEntry(BaseModel):
    """A change: who, what, when, from where; without a status nobody saw its end."""

    model_config = ConfigDict(extra="ignore")

    at_us: int
    subject: str
    role: str
    action: str
    path: str
    status: int | None
    client: str
    request_id: str
    idempotency_key: str | None = None


class AuditEntries(BaseModel):
    """Some entries, the newest first; ``next_cursor`` is null at the end."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "entries": [
                        {
                            "at_us": 1_767_225_600_000_000,
                            "subject": "ada",
                            "role": "operator",
                            "action": "POST",
                            "path": "/api/v1/pipelines/archive/pause",
                            "status": 202,
                            "client": "192.0.2.7",
                            "request_id": "5f0c2a",
                        }
                    ],
                    "next_cursor": None,
                }
            ]
        }
    )

    entries: list[AuditEntry]
    next_cursor: str | None


def audit_routes(entries: AuditLog) -> APIRouter:
    """Return the route."""
    router = APIRouter(prefix="/api/v1", tags=["log-in"])

    @router.get("/audit", summary="Who changed what, when, from where")
    async def audit(
        _: Annotated[Principal, Depends(requires(Role.ADMIN))],
        limit: Annotated[int, Query(description="Entries a page.", ge=1, le=_MOST)] = 100,
        cursor: Annotated[
            str | None, Query(description="`next_cursor` of the page before.", max_length=64)
        ] = None,
    ) -> AuditEntries:
        try:
            found = await entries.page(limit, cursor)
        except DataError as error:
            raise HTTPException(422, f"query.cursor: {error}") from None
        shown = [AuditEntry.model_validate(entry) for entry in found.entries]
        return AuditEntries(entries=shown, next_cursor=found.next_cursor)

    return router
