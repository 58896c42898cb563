"""What may be used once: that a log-in code or ticket was used stands in MongoDB.

Collection `login_codes`, under the code's id: inserting it a second time fails, whichever replica
tries.
"""

from datetime import UTC, datetime, timedelta
from typing import Protocol

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError, PyMongoError

from pipelines.errors import DataError, UnavailableError
from serve.mongo import Document, mongo_reason

COLLECTION = "login_codes"
_CLEAN_EVERY = timedelta(seconds=60)


class OneTimeUse(Protocol):
    """Lets each id be used once."""

    async def use(self, jti: str, expires_s: float) -> None:
        """Use up an id, which is good until ``expires_s`` (seconds since the epoch).

        Raises:
            DataError: it was used before.
            UnavailableError: nobody can say.
        """


class UsedCodes:
    """Remembers which ids were used, until they would have expired anyway."""

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._collection = collection
        self._cleaned = datetime.min.replace(tzinfo=UTC)

    async def use(self, jti: str, expires_s: float) -> None:
        """Use up an id; see :class:`OneTimeUse`."""
        now = datetime.now(UTC)
        try:
            if now - self._cleaned > _CLEAN_EVERY:
                await self._collection.delete_many({"expires": {"$lt": now}})
                self._cleaned = now
            expires = datetime.fromtimestamp(expires_s, UTC)
            await self._collection.insert_one({"_id": jti, "expires": expires})
        except DuplicateKeyError:
            raise DataError("it was used before") from None
        except PyMongoError as error:
            raise UnavailableError(
                f"MongoDB does not answer ({mongo_reason(error)}), so nobody can log in; start "
                "it, then try the same again"
            ) from None
