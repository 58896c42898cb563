"""Manifests with a mistake, on a real control plane: each is refused, and the message names it.

A reference to a Secret that nobody makes is no mistake to an API server: the Secret may come later.
tests/manifests refuses it: every one that is named must be made by an overlay or listed as the
user's to make.
"""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.kubernetes.control_plane import ControlPlane, RefusedError
from tests.kubernetes.overlays import Object, of_kind, overlay, remove_all
from tests.kubernetes.test_overlays import known


def _set(path: str, value: object) -> Callable[[Object], None]:
    def change(one: Object) -> None:
        *parents, last = path.split("/")
        here: Any = one
        for part in parents:
            here = here[int(part)] if part.isdigit() else here.setdefault(part, {})
        here[int(last) if last.isdigit() else last] = value

    return change


CASES = [
    ("RayCluster", "processors", _set("spec/headGroup", {}), "headGroup"),
    (
        "RayCluster",
        "processors",
        _set("spec/authOptions/mode", "password"),
        "spec.authOptions.mode",
    ),
    ("RayCluster", "processors", _set("spec/upgradeStrategy/type", "Rolling"), "upgradeStrategy"),
    ("RayCluster", "processors", _set("spec/workerGroupSpecs/0/minReplicas", "one"), "minReplicas"),
    (
        "RayCluster",
        "processors",
        _set("spec/headGroupSpec/template/spec/containers/0/imagePullPolice", "Always"),
        "imagePullPolice",
    ),
    ("RayService", "api", _set("spec/serveConfig", ""), "serveConfig"),
    (
        "RayService",
        "api",
        _set("spec/rayClusterConfig/gcsFaultToleranceOptions", {}),
        "redisAddress",
    ),
    ("KafkaTopic", None, _set("spec/partitions", 0), "spec.partitions"),
    ("KafkaTopic", None, _set("spec/partition", 10), "partition"),
    ("KafkaUser", None, _set("spec/authentication/type", "plain"), "authentication.type"),
    ("Kafka", None, _set("spec/kafka/listeners/0/type", "public"), "listeners[0].type"),
    ("Certificate", None, _set("spec/issuerRef", {"kind": "ClusterIssuer"}), "issuerRef.name"),
    ("StatefulSet", "ray-redis", _set("spec/template/spec/containers/0/image", ""), "image"),
    (
        "Deployment",
        "processors-keeper",
        _set("spec/template/spec/containers/0/volumeMounts/0/name", "nowhere"),
        "volumeMounts[0].name",
    ),
    ("NetworkPolicy", None, _set("spec/policyTypes", ["Inwards"]), "policyTypes"),
]


@pytest.fixture(scope="module")
def objects(control_plane: ControlPlane) -> Iterator[list[Object]]:
    """The overlay for one node, its namespace there."""
    found = known(overlay("single-node"))
    control_plane.apply(of_kind(found, "Namespace"))
    yield found
    remove_all(control_plane)


@pytest.mark.parametrize(("kind", "name", "change", "named"), CASES)
def test_a_mistake_is_refused(
    control_plane: ControlPlane,
    objects: list[Object],
    kind: str,
    name: str | None,
    change: Callable[[Object], None],
    named: str,
) -> None:
    one = next(
        one for one in of_kind(objects, kind) if name is None or one["metadata"]["name"] == name
    )
    control_plane.apply([one], "--dry-run=server")
    mistaken = copy.deepcopy(one)
    change(mistaken)
    with pytest.raises(RefusedError) as refused:
        control_plane.apply([mistaken], "--dry-run=server")
    assert named in str(refused.value)
