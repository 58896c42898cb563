"""Which code runs: a short hash of its source."""

import functools
import hashlib
from pathlib import Path

import actors
import pipelines

_DIGITS = 12


@functools.cache
def code_version() -> str:
    """Return a hash of every Python file of ``pipelines`` and ``actors``: 12 hexadecimal digits.

    It stands in ledgers, dead letters and the names of slots, so that a deployment of other code
    replaces the slots that run.
    """
    digest = hashlib.sha256()
    for package in (pipelines, actors):
        root = Path(package.__path__[0])
        for file in sorted(root.rglob("*.py")):
            digest.update(str(file.relative_to(root.parent)).encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:_DIGITS]
