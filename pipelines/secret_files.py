"""Secrets from files: ``IMUSTREAM_KAFKA__PASSWORD_FILE`` names the file of ``kafka.password``.

Every setting that is a secret has such a variable, as the images of databases do it: the file may
be a mounted Kubernetes or Docker secret, and the secret itself stands in no environment.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from pipelines.errors import ConfigurationError

_SUFFIX = "_FILE"


class SecretFiles(PydanticBaseSettingsSource):
    """Gives the settings whose file a variable names."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Give nothing: all values come at once."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the sections with the secrets that were read.

        Raises:
            ConfigurationError: a file cannot be read.
        """
        prefix = str(self.config.get("env_prefix") or "")
        separator = str(self.config.get("env_nested_delimiter") or "__")
        found: dict[str, Any] = {}
        for path in secret_paths(self.settings_cls):
            variable = f"{prefix}{separator.join(path).upper()}{_SUFFIX}"
            file = os.environ.get(variable)
            if file:
                section = found
                for name in path[:-1]:
                    section = section.setdefault(name, {})
                section[path[-1]] = _secret_in(Path(file), variable)
        return found


def secret_paths(settings: type[BaseModel]) -> Iterator[tuple[str, ...]]:
    """Yield the path of every setting that is a secret, such as ``("kafka", "password")``."""
    for name, field in settings.model_fields.items():
        kinds = _kinds(field.annotation)
        if SecretStr in kinds:
            yield (name,)
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from ((name, *path) for path in secret_paths(kind))


def is_secret(settings: type[BaseSettings], path: Sequence[str | int]) -> bool:
    """Return whether a path of settings is a secret's, or leads into one."""
    return any(tuple(path[: len(secret)]) == secret for secret in secret_paths(settings))


def _kinds(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) in (Union, UnionType):
        return get_args(annotation)
    return (annotation,)


def _secret_in(file: Path, variable: str) -> str:
    try:
        return file.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigurationError(
            f"{variable} names {file}, which cannot be read ({reason})"
        ) from None
