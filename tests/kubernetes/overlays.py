"""The overlays, rendered, and what is there of them once they are applied."""

from collections.abc import Iterable, Mapping
from typing import Any

from cluster.setup.paths import ROOT
from tests.kubernetes.control_plane import ControlPlane, rendered
from tests.kubernetes.pods import NAMESPACE
from tests.kubernetes.processes import wait_until

FOLDER = ROOT / "cluster" / "kubernetes" / "overlays"
OVERLAYS = ("single-node", "production", "gpu", "aws")

Object = dict[str, Any]

GONE_S = 180.0
"""Ray's clusters end with a job each, which empties their part of Redis."""


def overlay(name: str) -> list[Object]:
    """Return the objects of an overlay."""
    return rendered(FOLDER / name)


def of_kind(objects: Iterable[Object], kind: str) -> list[Object]:
    """Return the objects of a kind."""
    return [one for one in objects if one["kind"] == kind]


def apply_all(control_plane: ControlPlane, objects: list[Object]) -> None:
    """Apply them, the namespace first."""
    control_plane.apply(of_kind(objects, "Namespace"))
    control_plane.apply(objects)


def remove_all(control_plane: ControlPlane) -> None:
    """Remove the namespace with all in it, and wait until it is gone."""
    control_plane.kubectl("delete", "rayservices,rayclusters,rayjobs", "--all", *_HERE)
    control_plane.kubectl("delete", "namespace", NAMESPACE, f"--timeout={GONE_S:.0f}s")


def ray_pods(control_plane: ControlPlane, group: str | None = None) -> list[Object]:
    """Return the pods that KubeRay has made, or those of a group of workers."""
    label = "ray.io/cluster" if group is None else f"ray.io/group={group}"
    return list(control_plane.get("pods", *_HERE, f"--selector={label}")["items"])


def wait_for_ray(control_plane: ControlPlane, objects: list[Object], timeout_s: float = 60) -> None:
    """Wait until KubeRay has made all pods of the overlay's clusters."""
    wanted = sum(map(_pods_of, of_kind(objects, "RayCluster")))
    for service in of_kind(objects, "RayService"):
        wanted += _pods_of({"spec": service["spec"]["rayClusterConfig"]})
    wait_until(
        f"{wanted} pods of Ray",
        lambda: len(ray_pods(control_plane)) >= wanted,
        timeout_s,
    )


def running(pods: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the names of the pods that run."""
    return [one["metadata"]["name"] for one in pods if one["status"].get("phase") == "Running"]


def _pods_of(cluster: Object) -> int:
    groups = cluster["spec"].get("workerGroupSpecs", ())
    return 1 + sum(group.get("replicas", 0) for group in groups)


_HERE = ("--namespace", NAMESPACE)
