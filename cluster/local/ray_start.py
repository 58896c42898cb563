"""`python -m cluster.local.ray_start FOLDER`: becomes the Ray head of the local stack.

A head that was killed leaves its children, which hold its ports; they are ended first. Only this
stack's own: `ray stop` would end every Ray of this user.
"""

import os
import shutil
import sys
from pathlib import Path

from ray.scripts import scripts

from cluster.local.processes import MARK, end_marked
from pipelines.settings import LocalSettings, load_settings

RAY_MARK = "IMUSTREAM_HEAD_OF_STACK"
_OBJECT_STORE_BYTES = 256 * 1024 * 1024
_SESSIONS_KEPT = 2


def main() -> None:
    """End a predecessor's processes, then run `ray start --block`."""
    folder = Path(sys.argv[1])
    stack_id = os.environ[MARK]
    end_marked(stack_id, RAY_MARK, gentle_s=0.0)
    for old in sorted(folder.glob("session_2*"))[:-_SESSIONS_KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    os.environ[RAY_MARK] = stack_id
    # No option leaves out the server of Ray Client. Nothing here uses it, it takes 100 MB, and
    # when it starts too slowly the head ends with it.
    vars(scripts)["get_ray_client_dependency_error"] = lambda: ImportError("not wanted")
    scripts.cli(_arguments(load_settings().local, folder), prog_name="ray")


def _arguments(local: LocalSettings, folder: Path) -> list[str]:
    options = {
        "node-ip-address": "127.0.0.1",
        "port": local.ray_port,
        "include-dashboard": "true",
        "dashboard-host": "127.0.0.1",
        "dashboard-port": local.dashboard_port,
        # 0: any free port.
        "dashboard-agent-listen-port": 0,
        "dashboard-agent-grpc-port": 0,
        "min-worker-port": 0,
        "max-worker-port": 0,
        "num-cpus": local.ray_cpus,
        "num-gpus": 0,
        "object-store-memory": _OBJECT_STORE_BYTES,
        "include-log-monitor": "false",
        "temp-dir": folder,
    }
    if local.monitoring:
        options["metrics-export-port"] = local.ray_metrics_port
    named = [f"--{name}={value}" for name, value in options.items()]
    return ["start", "--head", "--block", "--disable-usage-stats", *named]


if __name__ == "__main__":
    main()
