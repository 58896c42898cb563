"""What models and versions may be called; both become parts of paths and of URLs."""

import re

from pipelines.errors import DataError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_VERSION = re.compile(r"[1-9][0-9]{0,8}")


def is_name(text: str) -> bool:
    """Return whether a model may be called this."""
    return _NAME.fullmatch(text) is not None


def is_version(text: str) -> bool:
    """Return whether a version may be called this."""
    return _VERSION.fullmatch(text) is not None


def require_name(name: str) -> None:
    """Raise DataError unless a model may be called this."""
    if not is_name(name):
        raise DataError(
            f"{name!r} is no name of a model: take 1 to 64 letters, digits, dots, hyphens and "
            "underscores, the first a letter or a digit"
        )


def require_version(version: str) -> None:
    """Raise DataError unless a version may be called this."""
    if not is_version(version):
        raise DataError(f"{version!r} is no version: take a whole number from 1, such as 3")


def sorted_versions(versions: list[str]) -> list[str]:
    """Return the versions, the oldest first; what is no version is left out."""
    return sorted(filter(is_version, versions), key=int)
