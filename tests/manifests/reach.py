"""Whether network policies let one pod speak to another, as a cluster's network would decide it."""

from typing import Any

from tests.manifests.pods import Pods, selects
from tests.manifests.rendering import Object, of_kind


class Network:
    """The policies of one namespace."""

    def __init__(self, objects: list[Object]) -> None:
        self._policies = [one["spec"] for one in of_kind(objects, "NetworkPolicy")]

    def reaches(self, source: Pods, target: Pods, port: int) -> bool:
        """Return whether a pod of the namespace may open a connection to another's port."""
        return self._lets(source, target, port, "Egress", "egress", "to") and self._lets(
            target, source, port, "Ingress", "ingress", "from"
        )

    def accepts_anybody(self, target: Pods, port: int) -> bool:
        """Return whether a pod's port may be reached from outside the cluster."""
        return any(
            "from" not in rule and _has_port(rule, port)
            for policy in self._of(target, "Ingress")
            for rule in policy.get("ingress", ())
        )

    def accepts_namespaces(self, target: Pods) -> set[tuple[str, int]]:
        """Return the other namespaces that may reach a pod, each with the port."""
        found = set()
        for policy in self._of(target, "Ingress"):
            for rule in policy.get("ingress", ()):
                for peer in rule.get("from", ()):
                    labels = peer.get("namespaceSelector", {}).get("matchLabels", {})
                    for name in labels.values():
                        found |= {(name, port["port"]) for port in rule["ports"]}
        return found

    def selecting(self, pods: Pods, kind: str) -> list[dict[str, Any]]:
        """Return the policies of a kind that hold for a pod and allow something."""
        return [each for each in self._of(pods, kind) if each.get(kind.lower())]

    def denies_all(self) -> bool:
        """Return whether what no policy allows is denied, both ways, for every pod."""
        return any(
            policy["podSelector"] == {}
            and set(policy["policyTypes"]) == {"Ingress", "Egress"}
            and not policy.get("ingress")
            and not policy.get("egress")
            for policy in self._policies
        )

    def _of(self, pods: Pods, kind: str) -> list[dict[str, Any]]:
        return [
            policy
            for policy in self._policies
            if kind in policy["policyTypes"] and selects(policy["podSelector"], pods.labels)
        ]

    def _lets(self, pods: Pods, peer: Pods, port: int, kind: str, way: str, end: str) -> bool:
        return any(
            _has_port(rule, port)
            and (end not in rule or any(_is_peer(each, peer) for each in rule[end]))
            for policy in self._of(pods, kind)
            for rule in policy.get(way, ())
        )


def _has_port(rule: dict[str, Any], port: int) -> bool:
    ports = rule.get("ports")
    return not ports or any(each["port"] == port for each in ports)


def _is_peer(peer: dict[str, Any], pods: Pods) -> bool:
    # An address block is for what is outside: pods are known by their labels.
    if "ipBlock" in peer or "namespaceSelector" in peer:
        return False
    return selects(peer["podSelector"], pods.labels)
