"""The MongoDB client of the HTTP side: it says soon when MongoDB is away."""

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from pipelines.settings import MongoSettings

MONGO_TIMEOUT_MS = 3_000

Document = dict[str, object]


def mongo_client(settings: MongoSettings) -> AsyncMongoClient[Document]:
    """Return a client that says within 3 s when MongoDB is away. Close it when done."""
    return AsyncMongoClient(
        settings.uri.get_secret_value(),
        serverSelectionTimeoutMS=MONGO_TIMEOUT_MS,
        connectTimeoutMS=MONGO_TIMEOUT_MS,
        socketTimeoutMS=MONGO_TIMEOUT_MS,
    )


def mongo_reason(error: PyMongoError) -> str:
    """Return the error in the driver's words, without the list of all servers it tried."""
    return str(error).partition(",")[0]
