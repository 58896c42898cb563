"""Why a request of the Open Inference Protocol is refused, and how that looks."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import JSONResponse, Response


class RefusedError(Exception):
    """A request that gets an error as its answer; the message is for whoever sent it."""

    def __init__(
        self, status: HTTPStatus, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})


def malformed(message: str) -> RefusedError:
    """Return the refusal of a request that is not what the protocol or the model asks for."""
    return RefusedError(HTTPStatus.BAD_REQUEST, message)


def unknown(message: str) -> RefusedError:
    """Return the refusal of a request for what is not there."""
    return RefusedError(HTTPStatus.NOT_FOUND, message)


def too_large(limit_bytes: int) -> RefusedError:
    """Return the refusal of a body above the limit."""
    return RefusedError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the request is larger than {limit_bytes} bytes (inference.max_request_bytes), as sent or "
        "decompressed: send fewer sequences at once",
    )


def busy(message: str, retry_after_s: int = 1) -> RefusedError:
    """Return the refusal of a request that may be sent again a little later."""
    return RefusedError(
        HTTPStatus.SERVICE_UNAVAILABLE, message, {"Retry-After": str(max(1, retry_after_s))}
    )


def not_served(message: str) -> RefusedError:
    """Return the refusal of a request for a model that somebody must load or promote first."""
    return RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, message)


def error_response(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return an error as the protocol wants it: ``{"error": "..."}``."""
    return JSONResponse({"error": message}, status, headers)
