"""The MongoDB client of the HTTP side: it says soon when MongoDB is away."""

from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure, PyMongoError

from pipelines.settings import Settings

MONGO_TIMEOUT_MS = 3_000

Document = dict[str, object]


def mongo_client(settings: Settings) -> AsyncMongoClient[Document]:
    """Return a client that says within 3 s when MongoDB is away. Close it when done."""
    return AsyncMongoClient(
        settings.mongo.uri.get_secret_value(),
        serverSelectionTimeoutMS=MONGO_TIMEOUT_MS,
        connectTimeoutMS=MONGO_TIMEOUT_MS,
        socketTimeoutMS=MONGO_TIMEOUT_MS,
    )


def mongo_reason(error: PyMongoError) -> str:
    """Return the error in words, without the list of all servers that were tried.

    Of what the server itself refused the name alone: its message may repeat the document.
    """
    if isinstance(error, OperationFailure):
        name = (error.details or {}).get("codeName", type(error).__name__)
        return f"{name}, code {error.code}"
    return str(error).partition(",")[0]
