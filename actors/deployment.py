"""What tells one deployment of an actor from another: its code and the settings it depends on."""

import hashlib
import json
from collections.abc import Set
from typing import Any

from pydantic import SecretStr

from pipelines.settings import Settings

_DIGITS = 12


def deployment(code_version: str, settings: Settings, sections: Set[str]) -> str:
    """Return a short hash of the code and of these sections of the settings, secrets included."""
    values = settings.model_dump(include=set(sections))
    text = json.dumps(values, default=_plain, sort_keys=True)
    return hashlib.sha256((code_version + text).encode()).hexdigest()[:_DIGITS]


def _plain(value: Any) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
