"""Prometheus and promtool: the system's, or Debian's package unpacked into `.tools`."""

from cluster.setup import tools
from cluster.setup.debian_packages import unpack
from cluster.setup.step import Step, run_tool
from pipelines.errors import ToolMissingError


def prometheus() -> Step:
    """The step that sees to Prometheus."""
    return Step(
        name="prometheus",
        title="Prometheus",
        inputs=(),
        is_there=_is_there,
        install=_install,
    )


def _is_there() -> bool:
    try:
        tools.prometheus()
        tools.promtool()
    except ToolMissingError:
        return False
    return True


def _install() -> None:
    if not _is_there():
        unpack("prometheus", "Prometheus")
    for program in (tools.prometheus(), tools.promtool()):
        run_tool(
            [program.path, "--version"],
            environment={**program.environment, "PATH": "/usr/bin:/bin"},
        )
