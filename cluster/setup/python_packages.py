"""The virtual environment, with exactly the packages of `requirements.lock`."""

import importlib.util
import sys
from pathlib import Path

from cluster.setup.paths import ROOT, VENV
from cluster.setup.step import Step, run_tool
from pipelines.errors import ToolMissingError

PYTHON = VENV / "bin" / "python"
_LOCK = ROOT / "requirements.lock"


def python_packages() -> Step:
    """The step that makes `.venv`."""
    return Step(
        name="python-packages",
        title="Python packages into .venv",
        inputs=(_LOCK, ROOT / "pyproject.toml"),
        is_there=lambda: PYTHON.is_file() and (VENV / "bin" / "imustream").is_file(),
        install=_install,
    )


def _install() -> None:
    if not PYTHON.is_file():
        _require_venv_module()
        run_tool([sys.executable, "-m", "venv", VENV])
    pip: list[str | Path] = [PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    run_tool([*pip, "--require-hashes", "-r", _LOCK])
    # The build's own requirements are in the lock: without isolation nothing unhashed comes in.
    run_tool([*pip, "--no-deps", "--no-build-isolation", "-e", ROOT])


def _require_venv_module() -> None:
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise ToolMissingError(
            f"Python {version} cannot make a virtual environment: "
            f"install the package python{version}-venv (`apt-get install python{version}-venv`)"
        )
