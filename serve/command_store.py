"""Commands in the collection `commands` of the document database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import orjson
from pymongo import DESCENDING, AsyncMongoClient
from pymongo.errors import PyMongoError

from pipelines.errors import UnavailableError
from pipelines.settings import MongoSettings
from serve.device_commands import KEPT_DAYS, Document, Reply, State

COLLECTION: Final = "commands"
_DAY_US: Final = 86_400_000_000


class CommandStore:
    """Writes commands and what becomes of them.

    Every method raises UnavailableError where the database does not answer.
    """

    def __init__(self, client: AsyncMongoClient[Any], settings: MongoSettings) -> None:
        self._commands = client[settings.database][COLLECTION]

    async def prepare(self) -> None:
        """Make what look-ups by sensor need."""
        async with _answered():
            await self._commands.create_index([("sensor_id", 1), ("sent_us", DESCENDING)])

    async def add(self, document: Document) -> None:
        """Add a command, and drop those of its sensor that are older than `KEPT_DAYS`."""
        oldest_us = document["sent_us"] - KEPT_DAYS * _DAY_US
        async with _answered():
            await self._commands.delete_many(
                {"sensor_id": document["sensor_id"], "sent_us": {"$lt": oldest_us}}
            )
            await self._commands.insert_one(document)

    async def acknowledged(self, id_: str) -> None:
        """Note that the broker has it for a device; a reply may have come before."""
        async with _answered():
            await self._commands.update_one(
                {"_id": id_, "state": State.SENT.value},
                {"$set": {"state": State.ACKNOWLEDGED.value}},
            )

    async def replied(self, sensor_id: str, reply: Reply, received_us: int) -> bool:
        """Note the first reply to a command of this sensor; say whether it was that."""
        said = orjson.dumps({"ok": reply.ok, "result": reply.result}).decode()
        async with _answered():
            done = await self._commands.update_one(
                {"_id": reply.id, "sensor_id": sensor_id, "reply": None},
                {"$set": {"state": State.REPLIED.value, "reply": said, "replied_us": received_us}},
            )
        return done.modified_count > 0

    async def find(self, sensor_id: str, id_: str) -> Document | None:
        """Return one command of a sensor."""
        async with _answered():
            found: Document | None = await self._commands.find_one(
                {"_id": id_, "sensor_id": sensor_id}
            )
        return found

    async def latest(self, sensor_id: str, limit: int, before_us: int | None) -> list[Document]:
        """Return the commands of a sensor, the last sent first."""
        query: Document = {"sensor_id": sensor_id}
        if before_us is not None:
            query["sent_us"] = {"$lt": before_us}
        async with _answered():
            found: list[Document] = (
                await self._commands.find(query).sort("sent_us", DESCENDING).limit(limit).to_list()
            )
        return found


@asynccontextmanager
async def _answered() -> AsyncIterator[None]:
    try:
        yield
    except PyMongoError as error:
        reason = str(error).partition(",")[0]
        raise UnavailableError(
            f"the document database does not answer ({reason}); start it, then try again"
        ) from None
