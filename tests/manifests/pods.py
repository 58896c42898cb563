"""The pods that an overlay leads to: of Kubernetes' own kinds, and of Ray's."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.manifests.rendering import Object, named, of_kind


@dataclass(frozen=True)
class Pods:
    """Pods made from one template: which, how many at most, and whether they go on for ever."""

    owner: str
    labels: dict[str, str]
    spec: dict[str, Any]
    most: int
    serves: bool

    @property
    def part(self) -> str:
        """What it is to the network policies."""
        return self.labels.get("imustream/part", "")

    def containers(self) -> Iterator[dict[str, Any]]:
        """Yield all containers, those that prepare included."""
        yield from self.spec.get("initContainers", ())
        yield from self.spec["containers"]

    def lasting(self) -> Iterator[dict[str, Any]]:
        """Yield the containers that go on while the pod does."""
        for one in self.spec.get("initContainers", ()):
            if one.get("restartPolicy") == "Always":
                yield one
        yield from self.spec["containers"]

    def ports(self) -> dict[str, int]:
        """Return the named ports."""
        return {
            port["name"]: port["containerPort"]
            for one in self.lasting()
            for port in one.get("ports", ())
            if "name" in port
        }


def pods_of(objects: list[Object]) -> list[Pods]:
    """Return the pods of ours: those of which we write the template."""
    found = []
    for one in of_kind(objects, "Deployment", "StatefulSet"):
        found.append(_pods(named(one), one["spec"]["template"], one["spec"]["replicas"]))
    for one in of_kind(objects, "CronJob"):
        template = one["spec"]["jobTemplate"]["spec"]["template"]
        found.append(_pods(named(one), template, 1, serves=False))
    for one in of_kind(objects, "RayCluster"):
        found += _ray(named(one), one["spec"])
    for one in of_kind(objects, "RayService"):
        # An upgrade has the new cluster beside the old one.
        found += _ray(named(one), one["spec"]["rayClusterConfig"], times=2)
    return found


def _ray(owner: str, cluster: dict[str, Any], times: int = 1) -> Iterator[Pods]:
    yield _pods(f"{owner} head", cluster["headGroupSpec"]["template"], times)
    for group in cluster["workerGroupSpecs"]:
        name = f"{owner} {group['groupName']}"
        yield _pods(name, group["template"], times * group["maxReplicas"])


def _pods(owner: str, template: Object, most: int, serves: bool = True) -> Pods:
    labels = template.get("metadata", {}).get("labels", {})
    return Pods(owner, labels, template["spec"], most, serves)


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Return whether a label selector takes a pod with these labels."""
    wanted = selector.get("matchLabels", {})
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_meets(each, labels) for each in selector.get("matchExpressions", ()))


def _meets(expression: dict[str, Any], labels: dict[str, str]) -> bool:
    key, operator = expression["key"], expression["operator"]
    if operator == "In":
        return labels.get(key) in expression["values"]
    assert operator == "Exists", f"the checks do not know the operator {operator}"
    return key in labels
