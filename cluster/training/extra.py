"""Whether the training libraries are there: they are an extra, which no server needs."""

import os
from importlib.util import find_spec

from pipelines.errors import ToolMissingError

_LIBRARIES = ("jax", "optax")


def require_training_libraries() -> None:
    """Make sure that training can begin, and on one core; call it before importing them.

    Raises:
        ToolMissingError: one is not installed.
    """
    missing = [name for name in _LIBRARIES if find_spec(name) is None]
    if missing:
        raise ToolMissingError(
            f"training needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'}"
            " not installed: pip install 'imustream[train]'"
        )
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    # One thread adds up in one order: the same seed gives the same weights.
    os.environ.setdefault(
        "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    )
