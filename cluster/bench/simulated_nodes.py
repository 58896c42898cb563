"""A Ray cluster of several nodes on this machine, whose nodes can be lost.

Each node has a raylet and workers of its own, as on machines of their own; the network between them
is loopback. Only what runs in this process and what it starts knows of it.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psutil
import ray
from ray.cluster_utils import Cluster

from cluster.local.ray_head import ray_environment
from cluster.local.settings_environment import child_environment
from cluster.setup.paths import ROOT
from pipelines.settings import Settings

_OBJECT_STORE_BYTES: Final = 80 * 1024 * 1024
_HOST: Final = "127.0.0.1"


class SimulatedNodes:
    """The nodes of a cluster: a head that runs only what counts no CPU, and workers by name."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._workers: dict[str, Any] = {}

    @property
    def address(self) -> str:
        """The address that `ray.address` takes."""
        return str(self._cluster.address)

    @property
    def names(self) -> list[str]:
        """The workers that live."""
        return list(self._workers)

    def add(self, name: str, cpus: float, resources: Mapping[str, float] | None = None) -> None:
        """Add a worker node and wait until the head knows it."""
        self._workers[name] = self._cluster.add_node(
            num_cpus=cpus,
            resources={**(resources or {}), _label(name): 1},
            object_store_memory=_OBJECT_STORE_BYTES,
            node_ip_address=_HOST,
        )

    def node_of(self, pid: int) -> str | None:
        """Return which worker node a process runs on; None for the head."""
        for name in self._workers:
            if any(process.pid == pid for process in self._processes(name)):
                return name
        return None

    def lose(self, name: str) -> None:
        """End every process of a node at once by SIGKILL, as when its machine loses its power."""
        doomed = self._processes(name)
        for process in doomed:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(doomed, timeout=5)
        self._cluster.worker_nodes.discard(self._workers.pop(name))

    def _processes(self, name: str) -> list[psutil.Process]:
        found = []
        for started in self._workers[name].all_processes.values():
            for info in started:
                with contextlib.suppress(psutil.Error):
                    process = psutil.Process(info.process.pid)
                    found += [process, *process.children(recursive=True)]
        return found


def _label(name: str) -> str:
    return f"node-{name}"


@contextmanager
def simulated_nodes(
    settings: Settings, environment: Mapping[str, str] | None = None
) -> Iterator[SimulatedNodes]:
    """Start a head, and connect to it; add workers to what is yielded.

    ``environment``: further variables of the head and of all workers.
    """
    folder = Path(tempfile.mkdtemp(prefix="imustream-nodes-"))
    wanted = {
        **child_environment(settings, ROOT),
        **ray_environment(),
        "RAY_TMPDIR": str(folder),
        "RAY_worker_niceness": "0",
        "RAY_prestart_worker_first_driver": "0",
        **(environment or {}),
    }
    before = {key: os.environ.get(key) for key in wanted}
    os.environ.update(wanted)
    cluster = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 0,
            "object_store_memory": _OBJECT_STORE_BYTES,
            "node_ip_address": _HOST,
            "include_dashboard": False,
        },
    )
    try:
        ray.init(cluster.address, namespace=settings.ray.namespace, log_to_driver=False)
        yield SimulatedNodes(cluster)
    finally:
        ray.shutdown()
        cluster.shutdown()  # type: ignore[no-untyped-call]
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value
        shutil.rmtree(folder, ignore_errors=True)
