"""The labels that people give a sensor: what a change makes of them, and how they are stored. Pure.

MongoDB takes a dot or a dollar sign in a field's name for an operator, and FerretDB refuses them:
they stand there percent-encoded, so that all other names can be asked for as they are.
"""

import unicodedata
from collections.abc import Mapping
from urllib.parse import unquote

from pipelines.errors import DataError

MOST_LABELS = 32
LONGEST_KEY = 64
LONGEST_VALUE = 256

Labels = dict[str, str]
_ENCODED = {ord("%"): "%25", ord("."): "%2E", ord("$"): "%24"}


def fault_of_key(key: str) -> str | None:
    """Return why a label can have no such name, None where it can."""
    if not 1 <= len(key) <= LONGEST_KEY:
        return f"a label's name has 1 to {LONGEST_KEY} characters, this has {len(key)}"
    return _fault_of_text(key, "a label's name")


def fault_of_value(value: str) -> str | None:
    """Return why a label can have no such value, None where it can."""
    if len(value) > LONGEST_VALUE:
        return f"a label's value has at most {LONGEST_VALUE} characters, this has {len(value)}"
    return _fault_of_text(value, "a label's value")


def merged(labels: Mapping[str, str], changes: Mapping[str, str | None]) -> Labels:
    """Return the labels after a change (RFC 7396): what is None goes, the rest is set.

    Raises:
        DataError: there would be more than 32.
    """
    kept = {key: value for key, value in labels.items() if key not in changes}
    found = kept | {key: value for key, value in changes.items() if value is not None}
    if len(found) > MOST_LABELS:
        raise DataError(
            f"a sensor has at most {MOST_LABELS} labels, this would make {len(found)}: take some "
            "away by null"
        )
    return found


def stored(labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels as MongoDB keeps them."""
    return {key.translate(_ENCODED): value for key, value in labels.items()}


def read(found: Mapping[str, str]) -> Labels:
    """Return the labels that MongoDB keeps."""
    return {unquote(key): value for key, value in found.items()}


def _fault_of_text(text: str, what: str) -> str | None:
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs"):
            return f"{what} holds no control characters, this has U+{ord(character):04X}"
    return None
