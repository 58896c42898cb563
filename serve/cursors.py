"""Where a page ends, as an opaque text that leads to the next one. Pure."""

import base64
import binascii
import json
from collections.abc import Sequence

from pipelines.errors import DataError

LONGEST = 1_024
"""Characters of a cursor; two sensor ids of any letters fit."""
_LARGEST = 2**63

Key = Sequence[int | str]


def encode(key: Key) -> str:
    """Return the cursor of the page that follows the row with this sort key."""
    place = json.dumps(list(key), ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def decode(cursor: str, kinds: Sequence[type]) -> list[int | str]:
    """Return the sort key of a cursor, whose parts must be of these types.

    Raises:
        DataError: :func:`encode` did not make it of such a key.
    """
    try:
        if len(cursor) > LONGEST:
            raise ValueError
        padded = cursor + "=" * (-len(cursor) % 4)
        key = json.loads(base64.b64decode(padded, b"-_", validate=True))
        if type(key) is not list or [type(part) for part in key] != list(kinds):
            raise ValueError
        if any(type(part) is int and abs(part) >= _LARGEST for part in key):
            raise ValueError
        # A half of a surrogate pair is no text that MongoDB could look for.
        "".join(part for part in key if type(part) is str).encode()
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise DataError(
            "the cursor is none that this service gave: take `next_cursor` of the page before, or "
            "leave it out to begin anew"
        ) from None
    return key
