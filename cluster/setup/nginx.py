"""nginx, on which the ingress' rules are tried: the system's, or one unpacked into `.tools`."""

from cluster.setup import tools
from cluster.setup.debian_packages import unpack
from cluster.setup.step import Step, run_tool
from pipelines.errors import ToolMissingError


def nginx() -> Step:
    """The step that sees to nginx."""
    return Step(name="nginx", title="nginx", inputs=(), is_there=_is_there, install=_install)


def _is_there() -> bool:
    try:
        tools.nginx()
    except ToolMissingError:
        return False
    return True


def _install() -> None:
    if not _is_there():
        unpack("nginx", "nginx")
    program = tools.nginx()
    run_tool([program.path, "-v"], environment={**program.environment, "PATH": "/usr/bin:/bin"})
