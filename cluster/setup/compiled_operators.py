"""The operators' compiled kernels, so that the first pipeline need not wait for them."""

from cluster.setup.paths import ROOT
from cluster.setup.python_packages import PYTHON
from cluster.setup.step import Step, run_tool


def compiled_operators() -> Step:
    """The step that compiles them; numba keeps the result beside the source."""
    return Step(
        name="compiled-operators",
        title="operators compiled",
        inputs=tuple(sorted((ROOT / "pipelines").rglob("*.py"))),
        is_there=lambda: any((ROOT / "pipelines").rglob("*.nbi")),
        install=_compile,
    )


def _compile() -> None:
    run_tool([PYTHON, "-m", "pipelines.operators.warm"])
