"""Every overlay on a real control plane: accepted, applied, and made into pods by the operator."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from tests.kubernetes.control_plane import ControlPlane, RefusedError
from tests.kubernetes.overlays import (
    OVERLAYS,
    Object,
    apply_all,
    of_kind,
    overlay,
    ray_pods,
    remove_all,
    running,
    wait_for_ray,
)
from tests.kubernetes.pods import NAMESPACE
from tests.kubernetes.processes import wait_until

_HERE = ("--namespace", NAMESPACE)
_WITHOUT_SCHEMA = {"k8s.nginx.org"}
"""The group of the ingress controller, whose schemas this control plane does not have."""
_LATER = {"FailedScheduling", "FailedBinding", "FailedMount"}
"""Reasons of events that tell of a wait, not of a refusal."""


def known(objects: list[Object]) -> list[Object]:
    return [one for one in objects if one["apiVersion"].split("/")[0] not in _WITHOUT_SCHEMA]


@pytest.fixture(params=OVERLAYS)
def objects(request: pytest.FixtureRequest, control_plane: ControlPlane) -> Iterator[list[Object]]:
    """An overlay, its namespace there; all is removed afterwards."""
    found = known(overlay(request.param))
    control_plane.apply(of_kind(found, "Namespace"))
    yield found
    remove_all(control_plane)


def test_it_is_accepted_without_a_warning_and_its_pods_run(
    control_plane: ControlPlane, objects: list[Object], request: pytest.FixtureRequest
) -> None:
    _, warnings = control_plane.apply(objects, "--dry-run=server")
    assert warnings == ""
    apply_all(control_plane, objects)
    wait_for_ray(control_plane, objects)
    for kind in ("Deployment", "StatefulSet"):
        for one in of_kind(objects, kind):
            wanted = one["spec"].get("replicas", 1)
            name = f"{kind.lower()}/{one['metadata']['name']}"
            wait_until(
                f"ready pods of {name}",
                lambda name=name, wanted=wanted: _ready(control_plane, name) == wanted,  # type: ignore[misc]
                60,
            )
    wait_until("running pods of Ray", lambda: _all_run(control_plane), 60)
    assert _refusals(control_plane) == []
    if "gpu" in request.node.name:
        _check_gpus(control_plane)
    else:
        assert not any(map(_asks_for_gpus, ray_pods(control_plane)))
    _check_bounds(control_plane, objects)


def _ready(control_plane: ControlPlane, name: str) -> int:
    return int(control_plane.get(name, *_HERE)["status"].get("readyReplicas", 0))


def _all_run(control_plane: ControlPlane) -> bool:
    pods = ray_pods(control_plane)
    return len(running(pods)) == len(pods)


def _refusals(control_plane: ControlPlane) -> list[str]:
    """Pods that somebody could not make: Pod Security, the quota, or a mistake of ours."""
    events = control_plane.get("events", *_HERE)["items"]
    reasons = [(one.get("reason", ""), one.get("message", "")) for one in events]
    return [
        f"{reason}: {message}"
        for reason, message in reasons
        if reason.startswith("Failed") and reason not in _LATER
    ]


def _asks_for_gpus(pod: Object) -> bool:
    limits = pod["spec"]["containers"][0]["resources"].get("limits", {})
    return "nvidia.com/gpu" in limits


def _check_gpus(control_plane: ControlPlane) -> None:
    """The node has two GPUs: two pods run there and no third anywhere."""
    pods = ray_pods(control_plane)
    for pod in pods:
        assert (pod["spec"]["nodeName"] == "gpu-0") == _asks_for_gpus(pod), pod["metadata"]["name"]
    groups = control_plane.get("raycluster/processors", *_HERE)["spec"]["workerGroupSpecs"]
    at = next(k for k, group in enumerate(groups) if group["groupName"] == "gpu")
    path = f"/spec/workerGroupSpecs/{at}"
    control_plane.kubectl(
        *("patch", "raycluster/processors", *_HERE, "--type=json"),
        "--patch=[" + ",".join(
            f'{{"op": "replace", "path": "{path}/{field}", "value": 3}}'
            for field in ("maxReplicas", "replicas")
        ) + "]",
    )  # fmt: skip
    wait_until("three pods", lambda: len(ray_pods(control_plane, "gpu")) == 3, 30)
    wait_until("two of them", lambda: len(running(ray_pods(control_plane, "gpu"))) == 2, 30)
    waiting = [pod for pod in ray_pods(control_plane, "gpu") if pod["status"]["phase"] == "Pending"]
    wait_until("a reason", lambda: "nvidia.com/gpu" in _why_pending(control_plane, waiting[0]), 30)


def _why_pending(control_plane: ControlPlane, pod: Object) -> str:
    found = control_plane.get(f"pod/{pod['metadata']['name']}", *_HERE)
    return " ".join(one.get("message", "") for one in found["status"].get("conditions", ()))


def _check_bounds(control_plane: ControlPlane, objects: list[Object]) -> None:
    """Pod Security and the quota refuse what is not meant to be here."""
    plain = _pod("plain", objects)
    control_plane.apply([plain], "--dry-run=server")
    privileged = copy.deepcopy(plain)
    privileged["spec"]["containers"][0]["securityContext"]["privileged"] = True
    privileged["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    with pytest.raises(RefusedError, match="violates PodSecurity"):
        control_plane.apply([privileged], "--dry-run=server")
    root = copy.deepcopy(plain)
    root["spec"]["securityContext"] = {"runAsUser": 0, "runAsNonRoot": False}
    with pytest.raises(RefusedError, match="violates PodSecurity"):
        control_plane.apply([root], "--dry-run=server")
    huge = copy.deepcopy(plain)
    huge["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "4000"
    huge["spec"]["containers"][0]["resources"]["limits"]["cpu"] = "4000"
    with pytest.raises(RefusedError, match="exceeded quota"):
        control_plane.apply([huge], "--dry-run=server")


def _pod(name: str, objects: list[Object]) -> Object:
    """The keeper's pod by itself."""
    template: dict[str, Any] = copy.deepcopy(
        next(
            one["spec"]["template"]
            for one in of_kind(objects, "Deployment")
            if one["metadata"]["name"] == "processors-keeper"
        )
    )
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
