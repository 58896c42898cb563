"""Compile a function of numbers and arrays to machine code, once for each version of the source.

Numba's cache on disk notices a change of a function's own file, but not of a file whose functions
were compiled into it. So the cache's folder is named after all the sources that are compiled together.
"""

import hashlib
import os
from functools import partial
from pathlib import Path
from typing import Any, Final

import numba

CACHE_VARIABLE: Final = "NUMBA_CACHE_DIR"


def _cache_folder() -> Path:
    digest = hashlib.sha256(numba.__version__.encode())
    here = Path(__file__).parent
    for file in sorted([*here.glob("frame_*.py"), *here.glob("operators/*.py"), Path(__file__)]):
        digest.update(file.read_bytes())
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return home / "imustream" / "compiled" / digest.hexdigest()[:16]


if CACHE_VARIABLE not in os.environ:
    numba.config.CACHE_DIR = str(_cache_folder())

compiled: Final[Any] = partial(numba.njit, cache=True, nogil=True)
"""Decorator of a function that numba compiles; it runs without the interpreter's lock."""
