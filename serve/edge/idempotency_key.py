"""What an Idempotency-Key says, and what a repeated request must have in common. Pure.

https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

import hashlib
import re

IDEMPOTENCY_KEY = "Idempotency-Key"
_ACCEPTED = re.compile(r"[\x21-\x7e]{1,255}")


def key_fault(key: str) -> str | None:
    """Return why a text is no key, as a sentence; None where it is one."""
    if _ACCEPTED.fullmatch(key):
        return None
    return f"{IDEMPOTENCY_KEY} must be 1 to 255 visible ASCII characters."


def record_id(subject: str, key: str) -> str:
    """Return the id under which a subject's key is kept; nobody else's key meets it."""
    return _digest(subject.encode(), key.encode())


def fingerprint(method: str, path: str, query: bytes, body: bytes) -> str:
    """Return what a request and its repeat must have alike."""
    return _digest(method.encode(), path.encode(), query, body)


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()
