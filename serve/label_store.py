"""Labels of sensors in MongoDB, collection `sensor_labels`: one document a sensor.

They do not lie in `sensors`, which the session writer updates all the time: MongoDB would keep the
two writers apart by fields, but FerretDB reads a document, changes it and writes it whole, and was
seen to lose one of two changes that cross. Here nobody else writes, and each change names the
revision that it follows.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError, PyMongoError

from pipelines.errors import ConflictError, UnavailableError
from serve.sensor_labels import Labels, merged, read, stored

log = logging.getLogger(__name__)

COLLECTION = "sensor_labels"
_AGE_S = 2.0
"""How old the labels in a list of all sensors may be; what this replica changes shows at once."""
_PATIENCE_S = 0.25
_CROSSINGS = 5
_MOST_SENSORS = 100_000

Document = dict[str, Any]


class Labelled(NamedTuple):
    """The labels of a sensor; ``revision`` goes up with each change, from 0 before the first."""

    labels: Labels
    revision: int


NONE = Labelled({}, 0)
Condition = Callable[[Labelled], None]


class LabelStore:
    """Asks MongoDB; to be used in one event loop."""

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._collection = collection
        self._known: dict[str, Labelled] | None = None
        self._asked_s = float("-inf")
        self._asking: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()

    async def all(self) -> Mapping[str, Labelled] | None:
        """Return the labels of all sensors that have any, some seconds old.

        While MongoDB is away they stay as they were; None where it has never answered.
        """
        if self._asking is None and time.monotonic() - self._asked_s >= _AGE_S:
            self._asking = asyncio.create_task(self._ask())
        if self._asking is not None:
            # Whoever lists sensors does not wait for a MongoDB that is away.
            await asyncio.wait([self._asking], timeout=_PATIENCE_S)
        return self._known

    async def _ask(self) -> None:
        try:
            found = self._collection.find().limit(_MOST_SENSORS)
            self._known = {each["_id"]: _labelled(each) async for each in found}
        except PyMongoError as error:
            log.info("MongoDB does not give labels: %s", error)
        finally:
            self._asked_s = time.monotonic()
            self._asking = None

    async def of(self, sensor_id: str) -> Labelled:
        """Return the labels of one sensor as they are now.

        Raises:
            UnavailableError: MongoDB does not answer.
        """
        try:
            document = await self._collection.find_one({"_id": sensor_id})
        except PyMongoError as error:
            raise _unavailable(error) from None
        return NONE if document is None else _labelled(document)

    async def change(
        self, sensor_id: str, changes: Mapping[str, str | None], condition: Condition
    ) -> Labelled:
        """Change labels and return them; ``condition`` is asked before, and may raise.

        Raises:
            DataError: there would be too many labels.
            ConflictError: others change them all the time.
            UnavailableError: MongoDB does not answer.
        """
        async with self._changing:
            for _ in range(_CROSSINGS):
                before = await self.of(sensor_id)
                condition(before)
                after = Labelled(merged(before.labels, changes), before.revision + 1)
                if after.labels == before.labels:
                    return before
                if await self._put(sensor_id, before, after):
                    if self._known is not None:
                        self._known[sensor_id] = after
                    return after
        raise ConflictError(f"the labels of {sensor_id!r} are changed by others now: try again")

    async def _put(self, sensor_id: str, before: Labelled, after: Labelled) -> bool:
        """Write labels in place of those before; return whether those were there still."""
        fields = {"labels": stored(after.labels), "revision": after.revision}
        try:
            if before is NONE:
                await self._collection.insert_one({"_id": sensor_id, **fields})
                return True
            asked = {"_id": sensor_id, "revision": before.revision}
            return (await self._collection.update_one(asked, {"$set": fields})).matched_count == 1
        except DuplicateKeyError:
            return False
        except PyMongoError as error:
            raise _unavailable(error) from None


def _labelled(document: Document) -> Labelled:
    return Labelled(read(document["labels"]), document["revision"])


def _unavailable(error: PyMongoError) -> UnavailableError:
    reason = str(error).partition(" (configured")[0].partition(",")[0]
    return UnavailableError(
        f"MongoDB does not keep labels ({reason}): see that it runs (`imustream status`)"
    )
