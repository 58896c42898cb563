"""Compile a function of numbers and arrays to machine code, once for each version of the source.

Numba's cache on disk notices a change of a function's own file, but not of a file whose functions
were compiled into it. So the cache's folder is named after all sources compiled together.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import numba

CACHE_VARIABLE: Final = "NUMBA_CACHE_DIR"


def _cache_folder() -> Path:
    digest = hashlib.sha256(numba.__version__.encode())
    here = Path(__file__).parent
    compiled_together = [*here.glob("frame_*.py"), *here.glob("operators/*.py")]
    for file in sorted([*compiled_together, here / "transformed.py", Path(__file__)]):
        digest.update(file.read_bytes())
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return home / "imustream" / "compiled" / digest.hexdigest()[:16]


if CACHE_VARIABLE not in os.environ:
    vars(numba.config)["CACHE_DIR"] = str(_cache_folder())

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Decorate a function that numba compiles; it runs without the interpreter's lock."""
    return cast(F, numba.njit(function, cache=True, nogil=True))
