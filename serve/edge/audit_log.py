"""The audit log in MongoDB, collection `audit`: who changed what, when, from where.

An entry is written before the change, as an intent without a status, and its outcome after it; one
that stayed without a status tells of a change whose end nobody saw. Its id begins with its time.
MongoDB keeps it because a change must not happen while it cannot be written, on whichever replica.
"""

import asyncio
import logging
import secrets
import time
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import pymongo
from pymongo import DESCENDING
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError

from pipelines.errors import DataError, UnavailableError
from pipelines.settings import Settings
from serve.mongo import Document, mongo_reason

log = logging.getLogger(__name__)

COLLECTION = "audit"
_CLEAN_EVERY_S = 3_600.0
_PAGE_S = 15.0
"""FerretDB reads the whole collection for a page of it."""
_ID_DIGITS = 16
_DAY_S = 86_400


@dataclass(frozen=True)
class Intent:
    """What somebody is about to do.

    subject, role:   who; empty where nobody was logged in yet, as at the log-in
    action:          method and path
    client:          the address it came from
    idempotency_key: SHA-256 of the key, in hexadecimal
    """

    subject: str
    role: str
    action: str
    path: str
    client: str
    request_id: str
    idempotency_key: str | None


@dataclass(frozen=True)
class Outcome:
    """What came of it; ``action`` is now method and route template."""

    status: int
    action: str
    subject: str
    role: str


class AuditPage(NamedTuple):
    """Some entries, the newest first; ``next_cursor`` leads on, None at the end."""

    entries: list[dict[str, Any]]
    next_cursor: str | None


class AuditLog:
    """Writes and reads the entries; to be used in one event loop."""

    def __init__(self, collection: AsyncCollection[Document], keep_s: float) -> None:
        """Keep entries in ``collection`` for ``keep_s``."""
        self._collection = collection
        self._keep_s = keep_s
        self._cleaned_s = float("-inf")
        self._cleaning: asyncio.Task[None] | None = None

    async def begin(self, intent: Intent) -> str:
        """Write what is about to be done, and return the entry's id.

        Raises:
            UnavailableError: it is not written; do not do it.
        """
        at_us = time.time_ns() // 1_000
        entry_id = f"{_id_of(at_us)}-{secrets.token_hex(4)}"
        try:
            await self._collection.insert_one(
                {"_id": entry_id, "at_us": at_us, "status": None, **asdict(intent)}
            )
        except PyMongoError as error:
            raise UnavailableError(
                f"MongoDB does not answer ({mongo_reason(error)}), so the audit log cannot be "
                "written, and nothing is changed without it; start it, then try again"
            ) from None
        self._clean_now_and_then()
        return entry_id

    async def end(self, entry_id: str, outcome: Outcome) -> None:
        """Write what came of it; where that fails, the log of this process says it."""
        try:
            await self._collection.update_one({"_id": entry_id}, {"$set": asdict(outcome)})
        except PyMongoError as error:
            log.warning(
                "audit entry %s keeps no outcome, which was %s: %s",
                entry_id,
                outcome,
                mongo_reason(error),
            )

    async def page(self, limit: int, cursor: str | None) -> AuditPage:
        """Return the newest entries, or those before a cursor.

        Raises:
            DataError: the cursor is not one of ours.
            UnavailableError: MongoDB does not answer.
        """
        wanted: dict[str, Any] = {}
        if cursor is not None:
            if not _is_entry_id(cursor):
                raise DataError("the cursor is not one that this list gave out")
            wanted = {"_id": {"$lt": cursor}}
        try:
            with pymongo.timeout(_PAGE_S):
                found = self._collection.find(wanted).sort("_id", DESCENDING).limit(limit + 1)
                entries = [dict(entry) async for entry in found]
        except PyMongoError as error:
            raise UnavailableError(
                f"MongoDB does not answer ({mongo_reason(error)}); start it, then try again"
            ) from None
        more, shown = len(entries) > limit, entries[:limit]
        return AuditPage(shown, str(shown[-1]["_id"]) if more else None)

    def _clean_now_and_then(self) -> None:
        """Forget old entries beside the requests: FerretDB and SQLite do not by themselves."""
        if time.monotonic() - self._cleaned_s > _CLEAN_EVERY_S:
            self._cleaned_s = time.monotonic()
            self._cleaning = asyncio.create_task(self._clean())

    async def _clean(self) -> None:
        oldest = _id_of(int((time.time() - self._keep_s) * 1e6))
        try:
            with pymongo.timeout(_PAGE_S):
                await self._collection.delete_many({"_id": {"$lt": oldest}})
        except PyMongoError as error:
            log.warning("old audit entries are not deleted: %s", mongo_reason(error))


def open_audit_log(settings: Settings, database: AsyncDatabase[Document]) -> AuditLog:
    """Return the log that all applications write."""
    return AuditLog(database[COLLECTION], settings.serve.audit_days * _DAY_S)


def _id_of(at_us: int) -> str:
    return f"{max(0, at_us):0{_ID_DIGITS}d}"


def _is_entry_id(text: str) -> bool:
    time_part, dash, rest = text.partition("-")
    return len(time_part) == _ID_DIGITS and time_part.isdecimal() and bool(dash) and rest.isalnum()
