"""Writes updates to MongoDB: bounded batches, retried while it is away; says what it refuses."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from bson.errors import InvalidDocument, InvalidStringData
from pymongo import MongoClient
from pymongo.errors import (
    DocumentTooLarge,
    OperationFailure,
    PyMongoError,
)
from tenacity import (
    Retrying,
    retry_if_exception_type,
    stop_after_delay,
    wait_exponential_jitter,
)

from pipelines.errors import StoreAwayError
from pipelines.settings import MongoSettings, Settings
from pipelines.sinks.session_documents import INDEXES, Update

_LOGGER = logging.getLogger("imustream.session-writer")

SELECT_MS: Final = 3_000
"""How long a server that can be written to is looked for."""
ANSWER_MS: Final = 20_000
"""How long one command may take."""
RETRY_S: Final = 5.0
"""How long one batch is tried before the run ends; the next run tries it again."""
_RACES = 5
"""How often an insert that another writer forestalled is tried as an update."""
_DUPLICATE_KEY = 11_000
_DETAIL_CHARACTERS = 300

_SERVER_CODES: Final = frozenset(
    {
        1,  # InternalError
        6,  # HostUnreachable
        7,  # HostNotFound
        8,  # UnknownError
        13,  # Unauthorized
        18,  # AuthenticationFailed
        24,  # LockTimeout
        50,  # MaxTimeMSExpired
        64,  # WriteConcernTimeout
        89,  # NetworkTimeout
        91,  # ShutdownInProgress
        112,  # WriteConflict
        133,  # FailedToSatisfyReadPreference
        189,  # PrimarySteppedDown
        262,  # ExceededTimeLimit
        9001,  # SocketException
        10107,  # NotWritablePrimary
        11600,  # InterruptedAtShutdown
        11602,  # InterruptedDueToReplStateChange
        13435,  # NotPrimaryNoSecondaryOk
        13436,  # NotPrimaryOrSecondary
        14031,  # OutOfDiskSpace
    }
)
"""Errors of a write that tell of the server and not of the document.
https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml"""

_NOT_BSON = (OverflowError, InvalidDocument, InvalidStringData, DocumentTooLarge)

Document = dict[str, Any]


def mongo_client(settings: MongoSettings) -> MongoClient[Document]:
    """Return a client whose every call ends within a bound. Close it when done."""
    return MongoClient(
        settings.uri.get_secret_value(),
        serverSelectionTimeoutMS=SELECT_MS,
        connectTimeoutMS=SELECT_MS,
        socketTimeoutMS=ANSWER_MS,
    )


class SessionStore:
    """The database of sessions and sensors, as its one writer sees it."""

    def __init__(self, settings: Settings) -> None:
        """Make the client; it connects when it is first used."""
        self._client = mongo_client(settings.mongo)
        self._database = self._client[settings.mongo.database]
        self._max_batch = settings.writer.max_batch

    def prepare(self) -> None:
        """Make the indexes that are missing.

        Raises:
            StoreAwayError: MongoDB does not answer, or does not let us.
        """
        _patiently()(self._make_indexes)

    def write(self, collection: str, updates: Sequence[Update]) -> dict[int, str]:
        """Write updates of different documents; return why those it refuses are refused, by row.

        Raises:
            StoreAwayError: MongoDB is away; some may be written, and writing all again does no
                harm.
        """
        refused: dict[int, str] = {}
        for first in range(0, len(updates), self._max_batch):
            batch = updates[first : first + self._max_batch]
            for row, why in _patiently()(self._write_batch, collection, batch).items():
                refused[first + row] = why
        return refused

    def close(self) -> None:
        """Drop the connections."""
        self._client.close()

    def _make_indexes(self) -> None:
        try:
            for collection, indexes in INDEXES.items():
                for index in indexes:
                    self._database[collection].create_index(list(index))
        except PyMongoError as error:
            raise self._away(error) from None

    def _write_batch(self, collection: str, batch: Sequence[Update]) -> dict[int, str]:
        """Write all at once; where one fails, each by itself.

        FerretDB ends a batch at its first failure, and says neither which it was nor how many
        it changed before, which PyMongo's own bulk_write needs to know.
        """
        try:
            if not self._command(collection, batch).get("writeErrors"):
                return {}
        except _NOT_BSON:
            pass
        refusals = {row: self._write_one(collection, update) for row, update in enumerate(batch)}
        return {row: why for row, why in refusals.items() if why is not None}

    def _write_one(self, collection: str, update: Update) -> str | None:
        """Write one update; return why it is refused."""
        why = ""
        for _ in range(_RACES):
            try:
                errors = self._command(collection, [update]).get("writeErrors")
            except _NOT_BSON as error:
                return str(error)[:_DETAIL_CHARACTERS]
            if not errors:
                return None
            code, why = errors[0].get("code", 0), str(errors[0].get("errmsg", ""))
            if code in _SERVER_CODES:
                raise self._away(OperationFailure(why, code))
            if code != _DUPLICATE_KEY:
                break
        return why[:_DETAIL_CHARACTERS]

    def _command(self, collection: str, updates: Sequence[Update]) -> Mapping[str, Any]:
        statements = [
            {"q": {"_id": update.document_id}, "u": update.change, "upsert": True}
            for update in updates
        ]
        try:
            answer = self._database.command("update", collection, updates=statements, ordered=False)
        except DocumentTooLarge:
            raise
        except PyMongoError as error:
            raise self._away(error) from None
        if answer.get("writeConcernError"):
            raise self._away(OperationFailure(str(answer["writeConcernError"])))
        return answer

    def _away(self, error: PyMongoError) -> StoreAwayError:
        reason = str(error).partition(" (configured")[0][:_DETAIL_CHARACTERS]
        return StoreAwayError(
            f"MongoDB does not take sessions ({reason}): they wait in Kafka. See that it "
            "runs and that mongo.uri is right (`imustream status`)"
        )


def _patiently() -> Retrying:
    """Return what calls again while MongoDB is away, for a while."""
    return Retrying(
        retry=retry_if_exception_type(StoreAwayError),
        stop=stop_after_delay(RETRY_S),
        wait=wait_exponential_jitter(multiplier=0.1, max=1.0),
        reraise=True,
    )
