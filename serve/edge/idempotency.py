"""Lets a client repeat a change without doing it twice: the header Idempotency-Key.

A key belongs to its subject and to one request: method, path, query and body.
"""

import asyncio
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipelines.errors import UnavailableError
from pipelines.settings import ServeSettings
from serve.edge.client import principal_in
from serve.edge.idempotency_key import IDEMPOTENCY_KEY, fingerprint, key_fault, record_id
from serve.edge.idempotency_store import Answer, Claim, IdempotencyStore
from serve.problems import problem
from serve.same_origin import changes_something

REPLAYED = "Idempotency-Replayed"
_KEPT_HEADERS = frozenset({"content-type", "location", "etag", "retry-after"})
_NOTHING_DONE = frozenset({HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS})
"""Answers that ask to try again: the key is free again."""


class Idempotency:
    """Runs a request once for each key, and repeats its answer."""

    def __init__(self, app: ASGIApp, settings: ServeSettings, store: IdempotencyStore) -> None:
        self._app = app
        self._settings = settings
        self._store = store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it here."""
        principal = principal_in(scope) if scope["type"] == "http" else None
        key = Headers(scope=scope).get(IDEMPOTENCY_KEY) if principal is not None else None
        if principal is None or key is None or not changes_something(scope["method"]):
            await self._app(scope, receive, send)
            return
        fault = key_fault(key)
        if fault is not None:
            await problem(HTTPStatus.BAD_REQUEST, fault)(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._settings.request_timeout_s):
                body = await _whole_body(receive)
        except TimeoutError:
            late = problem(HTTPStatus.REQUEST_TIMEOUT, "The request body did not come in time.")
            await late(scope, receive, send)
            return
        if body is None:
            return
        wanted = fingerprint(scope["method"], scope["path"], scope["query_string"], body)
        known_as = record_id(principal.subject, key)
        try:
            claim = await self._store.claim(known_as, wanted)
        except UnavailableError as error:
            away = problem(HTTPStatus.SERVICE_UNAVAILABLE, f"{error}.", {"Retry-After": "1"})
            await away(scope, receive, send)
            return
        if claim.is_new:
            await self._run(known_as, scope, _replayed(body, receive), send)
        else:
            await _answer_again(claim, wanted)(scope, receive, send)

    async def _run(self, known_as: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Run a request, and keep its answer before it is sent: who has it may rely on it."""
        recorder = _Recorder(self._settings.idempotency_bytes)
        await self._app(scope, receive, recorder)
        answer = recorder.answer()
        if answer.status in _NOTHING_DONE:
            await self._store.release(known_as)
        else:
            await self._store.keep(known_as, answer)
        for message in recorder.messages:
            await send(message)


class _Recorder:
    """Takes an answer's messages instead of the client."""

    def __init__(self, max_bytes: int) -> None:
        self.messages: list[Message] = []
        self._max_bytes = max_bytes

    async def __call__(self, message: Message) -> None:
        self.messages.append(message)

    def answer(self) -> Answer:
        """The answer to keep; without its body where it is too large, or must not be stored."""
        start = self.messages[0]
        headers = Headers(raw=start["headers"])
        body = b"".join(message.get("body", b"") for message in self.messages[1:])
        keep = len(body) <= self._max_bytes and "no-store" not in headers.get("cache-control", "")
        kept = {name: value for name, value in headers.items() if name in _KEPT_HEADERS}
        return Answer(start["status"], kept, body if keep else None)


def _answer_again(claim: Claim, wanted: str) -> Response:
    if claim.fingerprint != wanted:
        return problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"This {IDEMPOTENCY_KEY} was used for another request; take a new one for each.",
        )
    if claim.answer is None:
        return problem(
            HTTPStatus.CONFLICT,
            "The first request with this key is under way, or nobody saw its end; try again, and "
            "if that does not help look what it did before you send it with a new key.",
            {"Retry-After": "1"},
        )
    status, headers, body = claim.answer
    if body is None:
        return problem(
            HTTPStatus.CONFLICT,
            f"This was done before, with status {status}; its answer is not kept.",
            {REPLAYED: "true"},
        )
    return Response(body, status, {**headers, REPLAYED: "true"})


async def _whole_body(receive: Receive) -> bytes | None:
    """The body; None where the client went meanwhile."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that gives a body that was read already, then what comes after it."""
    given = False

    async def receive_again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again
