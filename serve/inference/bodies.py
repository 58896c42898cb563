"""Bodies of requests and responses: read within bounds, and compressed where the client asks."""

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from serve.inference.admission import Place
from serve.inference.compression import accepted_coding, compressed, decompressed
from serve.inference.infer_response import Answer
from serve.inference.refusal import malformed, too_large

JSON_BYTES_HEADER = "Inference-Header-Content-Length"


async def read_body(request: Request, place: Place, limit_bytes: int) -> bytes:
    """Return a request's body, decompressed; ``place`` holds its bytes, also unpacked.

    Raises:
        RefusedError: it is too large, damaged, or there is no room for it now.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit_bytes:
        raise too_large(limit_bytes)
    body = bytearray()
    async for chunk in request.stream():
        if len(body) + len(chunk) > limit_bytes:
            raise too_large(limit_bytes)
        place.hold(len(chunk))
        body += chunk
    coding = request.headers.get("content-encoding")
    unpacked = decompressed(bytes(body), coding, limit_bytes)
    place.hold(max(0, len(unpacked) - len(body)))
    return unpacked


def json_bytes_of(request: Request) -> int | None:
    """Return how many bytes of the body are JSON, where the request says so.

    Raises:
        RefusedError: it says so in no whole number.
    """
    declared = request.headers.get(JSON_BYTES_HEADER)
    if declared is None:
        return None
    if not declared.isascii() or not declared.isdigit():
        raise malformed(f"{JSON_BYTES_HEADER} is {declared!r}, no whole number from 0")
    return int(declared)


def write_body(request: Request, answer: Answer) -> Response:
    """Return an answer as a response, compressed if the client asks for it."""
    headers = {"Vary": "Accept-Encoding"}
    binary = answer.json_bytes is not None
    if binary:
        headers[JSON_BYTES_HEADER] = str(answer.json_bytes)
    body = answer.body
    coding = accepted_coding(request.headers.get("accept-encoding", ""))
    if coding is not None:
        headers["Content-Encoding"] = coding
        body = compressed(body, coding)
    media_type = "application/octet-stream" if binary else "application/json"
    return Response(body, HTTPStatus.OK, headers, media_type)
