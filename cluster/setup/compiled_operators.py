"""The operators' compiled kernels, so that the first pipeline need not wait for them."""

from cluster.setup.paths import ROOT
from cluster.setup.python_packages import PYTHON
from cluster.setup.step import Step, run_tool


def compiled_operators() -> Step:
    """The step that compiles them, into the user's cache folder (:mod:`pipelines.compiled`).

    Where the cache was emptied since, the first use fills it again.
    """
    return Step(
        name="compiled-operators",
        title="operators compiled",
        inputs=tuple(sorted((ROOT / "pipelines").rglob("*.py"))),
        is_there=lambda: True,
        install=_compile,
    )


def _compile() -> None:
    run_tool([PYTHON, "-m", "pipelines.operators.warm"])
