"""Sessions as MongoDB has them, read with PyMongo's async API."""

from typing import Any, NamedTuple

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from pipelines.errors import UnavailableError
from pipelines.settings import MongoSettings
from pipelines.sinks.session_documents import SESSIONS
from serve.session_query import ORDER, SessionQuery, conditions, cursor_after, fields_of

_SELECT_MS = 3_000
_ANSWER_MS = 15_000
"""FerretDB reads all sessions for a list of some: seconds, where there are 20,000."""


class Page(NamedTuple):
    """Some sessions, the one that started last first; ``next`` leads on, None at the end."""

    sessions: list[dict[str, Any]]
    next: str | None


class SessionReader:
    """Asks MongoDB; to be used in one event loop."""

    def __init__(self, settings: MongoSettings) -> None:
        """Make the client; it connects when it is first used."""
        self._client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
            settings.uri.get_secret_value(),
            serverSelectionTimeoutMS=_SELECT_MS,
            connectTimeoutMS=_SELECT_MS,
            socketTimeoutMS=_ANSWER_MS + 1_000,
        )
        self._sessions = self._client[settings.database][SESSIONS]

    async def page(self, query: SessionQuery) -> Page:
        """Return the sessions of a query, at most its limit.

        Raises:
            DataError: the query's cursor is not one of ours.
            UnavailableError: MongoDB does not answer.
        """
        wanted = conditions(query)
        try:
            found = (
                self._sessions.find(wanted, max_time_ms=_ANSWER_MS)
                .sort(ORDER)
                .limit(query.limit + 1)
            )
            sessions = [fields_of(document) async for document in found]
        except PyMongoError as error:
            raise _unavailable(error) from None
        more = len(sessions) > query.limit
        shown = sessions[: query.limit]
        return Page(shown, cursor_after(shown[-1]) if more else None)

    async def session(self, session_id: str) -> dict[str, Any] | None:
        """Return one session; None where there is none.

        Raises:
            UnavailableError: MongoDB does not answer.
        """
        try:
            document = await self._sessions.find_one({"_id": session_id}, max_time_ms=_ANSWER_MS)
        except PyMongoError as error:
            raise _unavailable(error) from None
        return None if document is None else fields_of(document)

    async def close(self) -> None:
        """Drop the connections."""
        await self._client.close()


def _unavailable(error: PyMongoError) -> UnavailableError:
    reason = str(error).partition(" (configured")[0]
    return UnavailableError(
        f"MongoDB does not give sessions ({reason}): see that it runs (`imustream status`)"
    )
