"""Every object is one that the API server and the operators would take."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.manifests.rendering import Object, named, the
from tests.manifests.schemas import errors


def test_every_object_is_as_its_schema_says(objects: list[Object]) -> None:
    wrong = [f"{named(one)} {error}" for one in objects for error in errors(one)]
    assert not wrong, "\n".join(wrong)


def test_no_two_objects_are_the_same(objects: list[Object]) -> None:
    names = [(one["apiVersion"], named(one)) for one in objects]
    assert len(names) == len(set(names))


def _set(*path: Any, value: Any) -> Callable[[Object], None]:
    def change(one: Object) -> None:
        place = one
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return change


_POD = ("spec", "template", "spec")


@pytest.mark.parametrize(
    ("kind", "name", "change"),
    [
        ("StatefulSet", "mongodb", _set("spec", "replica", value=1)),
        ("StatefulSet", "mongodb", _set("spec", "replicas", value="one")),
        ("StatefulSet", "mongodb", _set(*_POD, "containers", 0, "resource", value={})),
        (
            "StatefulSet",
            "mongodb",
            _set(*_POD, "containers", 0, "resources", "limits", "memory", value="3Gb"),
        ),
        ("StatefulSet", "mongodb", _set("metadata", "label", value={})),
        ("Kafka", "streaming", _set("spec", "kafka", "listeners", 0, "type", value="public")),
        ("KafkaTopic", "imu-data-all", _set("spec", "partition", value=10)),
        ("KafkaUser", "api", _set("spec", "authorization", "acls", 0, "operations", value="Read")),
        ("RayCluster", "processors", _set("spec", "workerGroups", value=[])),
        ("RayService", "api", _set("spec", "rayClusterConfig", "headGroupSpec", value=1)),
        ("Certificate", "api", _set("spec", "dnsName", value="api")),
        ("PodMonitor", "imustream", _set("spec", "podMetricsEndpoints", value={})),
        ("Policy", "internal", _set("spec", "accessControl", "allow", value=[])),
        ("Ingress", "api", _set("spec", "rules", 0, "http", "paths", 0, "pathType", value=None)),
    ],
)
def test_what_is_wrong_is_found(
    kind: str, name: str, change: Callable[[Object], None], rendered: Mapping[str, list[Object]]
) -> None:
    one = copy.deepcopy(the(rendered["production"], kind, name))
    assert not errors(one)
    change(one)
    assert errors(one)
