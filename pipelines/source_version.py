"""Which code runs: a short hash of its source."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Final

_DIGITS: Final = 12


def source_version(packages: Iterable[ModuleType]) -> str:
    """Return a hash of every Python file of some packages: 12 hexadecimal digits."""
    digest = hashlib.sha256()
    for package in packages:
        root = Path(package.__path__[0])
        for file in sorted(root.rglob("*.py")):
            digest.update(str(file.relative_to(root.parent)).encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:_DIGITS]
