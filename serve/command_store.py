"""Commands and replies in the collections `commands` and `command_replies`."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from pymongo import DESCENDING, AsyncMongoClient
from pymongo.errors import DuplicateKeyError, PyMongoError

from pipelines.errors import ConflictError, UnavailableError
from pipelines.settings import MongoSettings
from serve.device_commands import KEPT_DAYS, Document, Reply, State, reply_document

COLLECTION: Final = "commands"
REPLIES: Final = "command_replies"
_DAY_US: Final = 86_400_000_000


class CommandStore:
    """Writes commands and what becomes of them.

    Every method raises UnavailableError where the database does not answer.
    """

    def __init__(self, client: AsyncMongoClient[Any], settings: MongoSettings) -> None:
        self._commands = client[settings.database][COLLECTION]
        self._replies = client[settings.database][REPLIES]

    async def prepare(self) -> None:
        """Make what look-ups by sensor need."""
        async with _answered():
            for collection in (self._commands, self._replies):
                await collection.create_index([("sensor_id", 1), ("sent_us", DESCENDING)])

    async def add(self, document: Document) -> None:
        """Add a command, and drop those of its sensor that are older than `KEPT_DAYS`."""
        oldest_us = document["sent_us"] - KEPT_DAYS * _DAY_US
        async with _answered():
            for collection in (self._commands, self._replies):
                await collection.delete_many(
                    {"sensor_id": document["sensor_id"], "sent_us": {"$lt": oldest_us}}
                )
            await self._commands.insert_one(document)

    async def acknowledged(self, id_: str) -> None:
        """Note that the broker has it for a device."""
        async with _answered():
            await self._commands.update_one(
                {"_id": id_}, {"$set": {"state": State.ACKNOWLEDGED.value}}
            )

    async def replied(self, sensor_id: str, reply: Reply, received_us: int) -> bool:
        """Note the first reply to a command of this sensor; say whether it was that."""
        command = await self.find(sensor_id, reply.id)
        if command is None:
            return False
        try:
            async with _answered():
                await self._replies.insert_one(reply_document(reply, command, received_us))
        except ConflictError:
            return False
        return True

    async def find(self, sensor_id: str, id_: str) -> Document | None:
        """Return one command of a sensor."""
        async with _answered():
            found: Document | None = await self._commands.find_one(
                {"_id": id_, "sensor_id": sensor_id}
            )
        return found

    async def replies(self, sensor_id: str, commands: Sequence[Document]) -> dict[str, Document]:
        """Return the replies to these commands of one sensor, by the commands' ids."""
        if not commands:
            return {}
        times_us = [command["sent_us"] for command in commands]
        query = {"sensor_id": sensor_id, "sent_us": {"$gte": min(times_us), "$lte": max(times_us)}}
        async with _answered():
            found: list[Document] = await self._replies.find(query).to_list()
        return {reply["_id"]: reply for reply in found}

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
    except DuplicateKeyError:
        raise ConflictError("a document of this id is there already") from None
    except PyMongoError as error:
        reason = str(error).partition(",")[0]
        raise UnavailableError(
            f"the document database does not answer ({reason}); start it, then try again"
        ) from None
