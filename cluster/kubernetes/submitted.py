"""`python -m cluster.kubernetes.submitted CODE MODULE ...`: run a module where the code is CODE.

The keeper submits its programs so. A change of the image reaches the keeper and the head at
different moments; without this an old head would start old code and call it done.
"""

import runpy
import shlex
import sys
from collections.abc import Sequence

import actors
import cluster
import pipelines
import serve
from pipelines.source_version import source_version


def code_version() -> str:
    """Return a hash of all code that a program may run."""
    return source_version((pipelines, actors, serve, cluster))


def command(program: Sequence[str]) -> str:
    """Return the command line that runs a module with arguments where the code is ours."""
    return shlex.join(["python", "-m", "cluster.kubernetes.submitted", code_version(), *program])


def main() -> None:
    """Run the module; exit code 3 where the code is another."""
    wanted, module, *arguments = sys.argv[1:]
    if wanted != code_version():
        print(
            f"error: this head runs code {code_version()}, the keeper {wanted}: KubeRay has not "
            "replaced one of them yet; it is tried again",
            file=sys.stderr,
        )
        sys.exit(3)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
