"""Which sensors should send: those that somebody has labelled `monitored` = `true`."""

import logging
import time
from typing import Final, NamedTuple

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from pipelines.settings import Settings
from serve.label_store import COLLECTION
from serve.mongo import MONGO_TIMEOUT_MS, Document, mongo_reason

log = logging.getLogger(__name__)

LABEL: Final = "monitored"
_TRUE: Final = "true"
_AGE_S: Final = 10.0


class Monitored(NamedTuple):
    """The sensors, how many more there are than may be, and whether MongoDB answered."""

    sensor_ids: tuple[str, ...]
    left_out: int
    fresh: bool


class MonitoredSensors:
    """Asks MongoDB now and then; while it is away the sensors stay those of before."""

    def __init__(self, settings: Settings) -> None:
        self._most = settings.metrics.max_monitored
        self._client: MongoClient[Document] = MongoClient(
            settings.mongo.uri.get_secret_value(),
            serverSelectionTimeoutMS=MONGO_TIMEOUT_MS,
            connectTimeoutMS=MONGO_TIMEOUT_MS,
            socketTimeoutMS=MONGO_TIMEOUT_MS,
            connect=False,
        )
        self._labels = self._client[settings.mongo.database][COLLECTION]
        self._known = Monitored((), 0, fresh=False)
        self._due_s = float("-inf")

    def look(self) -> Monitored:
        """Return them; it may ask MongoDB, and wait for it some seconds."""
        now_s = time.monotonic()
        if now_s >= self._due_s:
            self._due_s = now_s + _AGE_S
            try:
                self._known = self._ask()
            except PyMongoError as error:
                log.warning("MongoDB does not say which are monitored: %s", mongo_reason(error))
                self._known = self._known._replace(fresh=False)
        return self._known

    def _ask(self) -> Monitored:
        asked = {f"labels.{LABEL}": _TRUE}
        # In the order of their ids, so that the same ones are left out each time.
        found = self._labels.find(asked, {"_id": 1}).sort("_id", 1).limit(self._most)
        sensor_ids = tuple(str(each["_id"]) for each in found) if self._most else ()
        left_out = 0
        if len(sensor_ids) == self._most:
            left_out = self._labels.count_documents(asked) - len(sensor_ids)
        return Monitored(sensor_ids, left_out, fresh=True)
