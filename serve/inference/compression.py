"""gzip and deflate of bodies, bounded: a small body may not unpack into a huge one."""

import gzip
import zlib
from typing import Final, Literal

from serve.inference.refusal import malformed, too_large

Coding = Literal["gzip", "deflate"]

_WINDOW_BITS: Final = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
_LEVEL: Final = 1
"""Tensors hardly shrink further at higher levels, which cost several times as much."""


def decompressed(body: bytes, coding: str | None, limit_bytes: int) -> bytes:
    """Return a body as it was before its ``Content-Encoding``.

    Raises:
        RefusedError: the coding is not known, the body is damaged, or unpacks to too much.
    """
    name = (coding or "identity").strip().lower()
    if name == "identity":
        return body
    if name not in _WINDOW_BITS:
        raise malformed(f"Content-Encoding {coding!r} is not known here; use gzip or deflate")
    unpacker = zlib.decompressobj(_WINDOW_BITS[name])
    try:
        unpacked = unpacker.decompress(body, limit_bytes + 1)
    except zlib.error as error:
        raise malformed(f"the body is no whole {name}: {error}") from None
    if len(unpacked) > limit_bytes:
        raise too_large(limit_bytes)
    if not unpacker.eof or unpacker.unused_data:
        raise malformed(f"the body is no whole {name}")
    return unpacked


def compressed(body: bytes, coding: Coding) -> bytes:
    """Return a body in a coding."""
    if coding == "gzip":
        return gzip.compress(body, _LEVEL, mtime=0)
    return zlib.compress(body, _LEVEL)


def accepted_coding(accept_encoding: str) -> Coding | None:
    """Return the coding that an ``Accept-Encoding`` header (RFC 9110) likes best, of ours."""
    best: tuple[float, Coding] | None = None
    for part in accept_encoding.lower().split(","):
        name, *options = (piece.strip() for piece in part.split(";"))
        weight = _weight(options)
        for coding in ("gzip", "deflate"):
            if name == coding and weight > 0 and (best is None or weight > best[0]):
                best = weight, coding
    return best[1] if best else None


def _weight(options: list[str]) -> float:
    for option in options:
        if option.startswith("q="):
            try:
                return float(option[2:])
            except ValueError:
                return 0.0
    return 1.0
