"""Exchange a one-time log-in code for a cookie, once.

That a code was used stands in MongoDB, collection `login_codes`, under the code's id: inserting it
a second time fails, whichever replica tries.
"""

from datetime import UTC, datetime
from http import HTTPStatus

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response
from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError, PyMongoError

from pipelines.errors import ConfigurationError, DataError, UnavailableError
from pipelines.settings import Settings
from serve.auth import COOKIE, new_token, read_login_code
from serve.gate import page

COLLECTION = "login_codes"
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


class UsedCodes:
    """Remembers which log-in codes were used, until they would have expired anyway."""

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._collection = collection

    async def use(self, jti: str, expires: datetime) -> None:
        """Use up a code.

        Raises:
            DataError: it was used before.
            UnavailableError: MongoDB did not answer, so nobody can say.
        """
        try:
            await self._collection.delete_many({"expires": {"$lt": datetime.now(UTC)}})
            await self._collection.insert_one({"_id": jti, "expires": expires})
        except DuplicateKeyError:
            raise DataError("it was used before") from None
        except PyMongoError as error:
            reason = str(error).partition(",")[0]
            raise UnavailableError(
                f"MongoDB does not answer ({reason}), so nobody can log in; start it, then try "
                "the same link again"
            ) from None


def login_routes(settings: Settings, codes: UsedCodes) -> APIRouter:
    """Return the route `/login?code=...`."""
    router = APIRouter()

    @router.get("/login", summary="Exchange a one-time code for a cookie", status_code=303)
    async def log_in(code: str = "") -> Response:
        """Log a browser in. A code works once, within 15 minutes."""
        try:
            found = read_login_code(settings, code)
            await codes.use(found.jti, found.expires)
            hours = settings.auth.cookie_hours
            token = new_token(settings, hours)
        except (DataError, ConfigurationError) as error:
            return _refused_code(HTTPStatus.UNAUTHORIZED, f"This link does not work: {error}.")
        except UnavailableError as error:
            return _refused_code(HTTPStatus.SERVICE_UNAVAILABLE, f"{error}.")
        response = RedirectResponse("/", HTTPStatus.SEE_OTHER, {"Cache-Control": "no-store"})
        response.set_cookie(
            COOKIE, token, max_age=int(hours * 3600), path="/", httponly=True, samesite="strict"
        )
        return response

    return router


def _refused_code(status: int, why: str) -> Response:
    return page(
        status, "imustream: not logged in", why, "<code>imustream link</code> prints a new one."
    )
