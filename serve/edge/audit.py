"""Puts every change into the audit log before it happens, and its outcome after."""

import asyncio
import hashlib
from collections.abc import Callable
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipelines.errors import UnavailableError
from serve.edge.audit_log import AuditLog, Intent, Outcome
from serve.edge.client import address_of, principal_in
from serve.edge.idempotency_key import IDEMPOTENCY_KEY
from serve.edge.request_id import request_id_of
from serve.problems import problem
from serve.same_origin import changes_something

IsAudited = Callable[[str, str], bool]
"""Whether a request of this method and path is put into the log."""

_LOGIN = "/login"


class Audit:
    """Refuses with 503 what cannot be put into the log."""

    def __init__(
        self, app: ASGIApp, entries: AuditLog, is_audited: IsAudited | None = None
    ) -> None:
        """Write into ``entries`` what ``is_audited`` chooses: else every change, and log-ins."""
        self._app = app
        self._entries = entries
        self._is_audited = is_audited or _changes_or_logs_in

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, between its intent and its outcome."""
        if scope["type"] != "http" or not self._is_audited(scope["method"], scope["path"]):
            await self._app(scope, receive, send)
            return
        try:
            entry_id = await self._entries.begin(_intent(scope))
        except UnavailableError as error:
            answer = problem(HTTPStatus.SERVICE_UNAVAILABLE, f"{error}.", {"Retry-After": "1"})
            await answer(scope, receive, send)
            return
        status = int(HTTPStatus.INTERNAL_SERVER_ERROR)

        async def send_noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        finally:
            # Also when this replica is told to stop meanwhile.
            await asyncio.shield(self._entries.end(entry_id, _outcome(scope, status)))


def _changes_or_logs_in(method: str, path: str) -> bool:
    return path == _LOGIN or changes_something(method)


def _intent(scope: Scope) -> Intent:
    subject, role = _who(scope)
    key = Headers(scope=scope).get(IDEMPOTENCY_KEY)
    return Intent(
        subject=subject,
        role=role,
        action=f"{scope['method']} {scope['path']}",
        path=scope["path"],
        client=address_of(scope),
        request_id=request_id_of(scope),
        idempotency_key=None if key is None else hashlib.sha256(key.encode()).hexdigest(),
    )


def _outcome(scope: Scope, status: int) -> Outcome:
    # The route is known, and at the log-in who it is, once the routes have been through it.
    subject, role = _who(scope)
    template = getattr(scope.get("route"), "path", scope["path"])
    return Outcome(status, f"{scope['method']} {template}", subject, role)


def _who(scope: Scope) -> tuple[str, str]:
    principal = principal_in(scope)
    return ("", "") if principal is None else (principal.subject, principal.role.name.lower())
