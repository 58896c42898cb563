"""Entity tags: what an answer held, in a few characters (RFC 9110, 8.8.3 and 13). Pure."""

import hashlib

_DIGITS = 16


def tag_of(content: bytes) -> str:
    """Return the digits of a tag, without its quotation marks; the same for the same content."""
    return hashlib.sha256(content).hexdigest()[:_DIGITS]


def quoted(tag: str) -> str:
    """Return a tag as it stands in a header."""
    return f'"{tag}"'


def names(condition: str | None, tag: str) -> bool:
    """Return whether ``If-Match`` or ``If-None-Match`` names a tag, or names any by ``*``."""
    if condition is None:
        return False
    listed = [part.strip().removeprefix("W/") for part in condition.split(",")]
    return condition.strip() == "*" or quoted(tag) in listed
