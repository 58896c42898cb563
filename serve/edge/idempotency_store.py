"""First answers to Idempotency-Keys in MongoDB, collection `idempotency`.

A key's record is inserted before its request is run, which only one replica can; its answer is put
in after. MongoDB keeps them because a repeat may come to another replica, or after a restart.
"""

import asyncio
import logging
import time
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pymongo
from bson import Binary
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError, PyMongoError

from pipelines.errors import UnavailableError
from serve.mongo import Document, mongo_reason

log = logging.getLogger(__name__)

COLLECTION = "idempotency"
_CLEAN_EVERY_S = 600.0
_CLEAN_S = 15.0


class Answer(NamedTuple):
    """An answer as it was first given; ``body`` is None where it was not to be kept."""

    status: int
    headers: dict[str, str]
    body: bytes | None


class Claim(NamedTuple):
    """What is known of a key.

    is_new:      nobody used it before: run the request
    fingerprint: of the request that it was first used for
    answer:      the first answer, None while there is none
    """

    is_new: bool
    fingerprint: str
    answer: Answer | None


class IdempotencyStore:
    """Keeps the records; to be used in one event loop."""

    def __init__(self, collection: AsyncCollection[Document], keep_s: float) -> None:
        """Keep records in ``collection`` for ``keep_s``."""
        self._collection = collection
        self._keep_s = keep_s
        self._cleaned_s = float("-inf")
        self._cleaning: asyncio.Task[None] | None = None

    async def claim(self, record_id: str, fingerprint: str) -> Claim:
        """Take a key for a request, or find what was done under it.

        Raises:
            UnavailableError: MongoDB does not answer; do not run the request.
        """
        self._clean_now_and_then()
        record = {"_id": record_id, "fingerprint": fingerprint, "at": datetime.now(UTC)}
        try:
            while True:
                try:
                    await self._collection.insert_one(dict(record))
                    return Claim(True, fingerprint, None)
                except DuplicateKeyError:
                    found = await self._collection.find_one({"_id": record_id})
                    if found is not None and not self._is_old(found):
                        return _claim(found)
                    # Released or too old in between: it is free again.
                    await self._collection.delete_one({"_id": record_id, "at": _at(found)})
        except PyMongoError as error:
            raise UnavailableError(
                f"MongoDB does not answer ({mongo_reason(error)}), so the Idempotency-Key cannot "
                "be looked up; nothing was done; start it, then try again"
            ) from None

    async def keep(self, record_id: str, answer: Answer) -> None:
        """Put the answer to a claimed key; where that fails, a repeat is told that nobody knows."""
        body = None if answer.body is None else Binary(answer.body)
        # An object, since FerretDB takes no lists in lists.
        fields = {"status": answer.status, "headers": answer.headers}
        try:
            await self._collection.update_one(
                {"_id": record_id}, {"$set": {"answer": {**fields, "body": body}}}
            )
        except PyMongoError as error:
            log.warning("the answer to an Idempotency-Key is not kept: %s", mongo_reason(error))

    async def release(self, record_id: str) -> None:
        """Give a claimed key back, whose request did nothing."""
        try:
            await self._collection.delete_one({"_id": record_id})
        except PyMongoError as error:
            log.warning("an Idempotency-Key is not given back: %s", mongo_reason(error))

    def _is_old(self, found: Document) -> bool:
        at = _at(found)
        return isinstance(at, datetime) and _aware(at) < self._oldest()

    def _oldest(self) -> datetime:
        return datetime.now(UTC) - timedelta(seconds=self._keep_s)

    def _clean_now_and_then(self) -> None:
        """Forget old records beside the requests: FerretDB on SQLite has no TTL indexes."""
        if time.monotonic() - self._cleaned_s > _CLEAN_EVERY_S:
            self._cleaned_s = time.monotonic()
            self._cleaning = asyncio.create_task(self._clean())

    async def _clean(self) -> None:
        try:
            with pymongo.timeout(_CLEAN_S):
                await self._collection.delete_many({"at": {"$lt": self._oldest()}})
        except PyMongoError as error:
            log.warning("old Idempotency-Keys are not deleted: %s", mongo_reason(error))


def _at(found: Document | None) -> object:
    return None if found is None else found.get("at")


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _claim(found: Document) -> Claim:
    kept: Any = found.get("answer")
    answer = None
    if kept is not None:
        body = None if kept["body"] is None else bytes(kept["body"])
        answer = Answer(kept["status"], dict(kept["headers"]), body)
    return Claim(False, str(found["fingerprint"]), answer)
