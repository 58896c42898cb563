"""The packages of the container image: those of `requirements.lock` that imustream itself needs.

``python -m cluster.kubernetes.image_requirements`` writes `image/requirements.lock` anew: the same
lines, versions and hashes, without what only the one-machine stack, training or the tests use.
"""

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from cluster.setup.paths import ROOT

LOCK = ROOT / "requirements.lock"
IMAGE_LOCK = Path(__file__).with_name("image") / "requirements.lock"
_ALSO = ("setuptools",)
"""Builds our own package in the image, where pip fetches nothing."""

_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==")


def image_lock() -> str:
    """Return what `image/requirements.lock` has to say, from the lock and what is installed here.

    Raises:
        KeyError: the lock lacks a package; resolve it anew with `make lock`.
    """
    entries = locked(LOCK.read_text())
    names = needed({"imustream", *_ALSO}, _requirements_of) - {"imustream"}
    return "".join(entries[name] for name in sorted(names))


def locked(lock: str) -> Mapping[str, str]:
    """Return the lines of each package of a lock, under its normalised name."""
    entries: dict[str, str] = {}
    name = ""
    for line in lock.splitlines(keepends=True):
        if match := _PINNED.match(line):
            name = canonicalize_name(match.group(1))
            entries[name] = ""
        if name and not line.startswith("#"):
            entries[name] += line
    return entries


def needed(roots: Iterable[str], requirements_of: Callable[[str], list[Requirement]]) -> set[str]:
    """Return the roots and all that they need, by normalised names."""
    waiting: list[tuple[str, frozenset[str]]] = [(name, frozenset()) for name in roots]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        name, extras = one
        for requirement in requirements_of(name):
            if _applies(requirement, extras):
                found = canonicalize_name(requirement.name)
                waiting.append((found, frozenset(requirement.extras)))
    return {name for name, _ in seen}


def _applies(requirement: Requirement, extras: frozenset[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": one}) for one in ("", *extras))


def _requirements_of(name: str) -> list[Requirement]:
    try:
        return [Requirement(text) for text in requires(name) or ()]
    except PackageNotFoundError:
        return []


def main() -> int:
    """Write the file. Returns the exit code."""
    IMAGE_LOCK.write_text(image_lock())
    print(f"{IMAGE_LOCK.relative_to(ROOT)}: {len(locked(IMAGE_LOCK.read_text()))} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
