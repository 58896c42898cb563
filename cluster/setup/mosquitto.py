"""Mosquitto, the MQTT broker: the system's, or one unpacked into `.tools`."""

from cluster.setup import tools
from cluster.setup.debian_packages import unpack
from cluster.setup.step import Step, run_tool
from pipelines.errors import ToolMissingError


def mosquitto() -> Step:
    """The step that sees to Mosquitto."""
    return Step(
        name="mosquitto",
        title="Mosquitto",
        inputs=(),
        is_there=_is_there,
        install=_install,
    )


def _is_there() -> bool:
    try:
        tools.mosquitto()
    except ToolMissingError:
        return False
    return True


def _install() -> None:
    if not _is_there():
        unpack("mosquitto", "Mosquitto")
    program = tools.mosquitto()
    # 3 is its exit code after printing the help; anything else means a library is missing.
    run_tool(
        ["sh", "-c", '"$0" -h >/dev/null 2>&1; test $? -le 3', program.path],
        environment={**program.environment, "PATH": "/usr/bin:/bin"},
    )
