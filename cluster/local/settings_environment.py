"""Settings as environment variables, which is how the stack's processes get them."""

import json
import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from pipelines.settings import CONFIG_FILE_VARIABLE, Settings

_PREFIX = "IMUSTREAM_"


def settings_environment(settings: Settings) -> dict[str, str]:
    """Every setting that has a value, as ``{"IMUSTREAM_KAFKA__BOOTSTRAP_SERVERS": ...}``.

    Secrets stand in clear: pass it on, do not print it.
    """
    return {
        f"{_PREFIX}{'__'.join(path).upper()}": _text(value)
        for path, value in _leaves(settings, ())
        if value is not None
    }


def differing_environment(settings: Settings, base: Settings) -> dict[str, str]:
    """The variables that turn ``base`` into ``settings``."""
    known = settings_environment(base)
    return {
        key: value
        for key, value in settings_environment(settings).items()
        if known.get(key) != value
    }


def without_settings(environment: dict[str, str] | None = None) -> dict[str, str]:
    """An environment without any of our settings, so that a child gets only what we give it."""
    source = dict(os.environ) if environment is None else environment
    return {key: value for key, value in source.items() if not key.startswith(_PREFIX)}


def child_environment(settings: Settings, root: Path) -> dict[str, str]:
    """What our own Python processes need: all settings, and this checkout to import from."""
    paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**settings_environment(settings), "PYTHONPATH": os.pathsep.join(paths)}
    file = os.environ.get(CONFIG_FILE_VARIABLE)
    return {**environment, **({CONFIG_FILE_VARIABLE: str(Path(file).resolve())} if file else {})}


def _leaves(model: BaseModel, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], Any]]:
    leaves: list[tuple[tuple[str, ...], Any]] = []
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            leaves += _leaves(value, (*path, name))
        else:
            leaves.append(((*path, name), value))
    return leaves


def _text(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, default=str)
    return str(value)
