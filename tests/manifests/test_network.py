"""Who may talk to whom: what stands here, and nothing else."""

from itertools import product
from typing import Final

from tests.manifests.pods import Pods, pods_of, selects
from tests.manifests.reach import Network
from tests.manifests.rendering import Object, of_kind, the

_EMPTY: Final = {"containers": []}
# What operators make: not templates of ours, but pods that the policies are about.
_BROKER_LABELS: Final = {"strimzi.io/cluster": "streaming", "strimzi.io/kind": "Kafka"}
_BROKER: Final = Pods("brokers", _BROKER_LABELS, _EMPTY, 1, True)
_CONNECT_LABELS: Final = {"strimzi.io/cluster": "connect", "strimzi.io/kind": "KafkaConnect"}
_CONNECT: Final = Pods("connect", _CONNECT_LABELS, _EMPTY, 1, True)
_PROMETHEUS: Final = Pods("prometheus", {"imustream/part": "prometheus"}, _EMPTY, 1, True)

_BACKFILL: Final = Pods("backfill", {"imustream/part": "backfill"}, _EMPTY, 1, True)

_PROCESSORS: Final = ("processors-head", "processors", "bridge")
_API: Final = ("api-head", "api")
_WITHIN_RAY: Final = 10_002
_PORTS: Final = (
    *(1883, 8883, 9001, 27017, 6379, 7070, 8265, 8000, 8080, 5721, 9090, 9464, 3000),
    _WITHIN_RAY,
)
_EVERY_PORT: Final = set(_PORTS)


def _allowed(parts: set[str]) -> set[tuple[str, str, int]]:
    """Return every connection that there is to be between pods of ours."""
    found = set()
    for cluster in (_PROCESSORS, _API):
        # Ray's nodes speak to each other on any port.
        found |= {(a, b, port) for a in cluster for b in cluster for port in _EVERY_PORT}
    for source in (*_PROCESSORS, *_API, "books-exporter", "mongodb-backup"):
        found.add((source, "mongodb", 27017))
    for source in ("bridge", "api", "books-exporter"):
        found.add((source, "mosquitto", 1883))
    for source in ("processors-head", "api-head"):
        found.add((source, "ray-redis", 6379))
    for source in ("processors-head", "processors", *_API):
        found.add((source, "object-store", 7070))
    found.add(("processors-keeper", "processors-head", 8265))
    for target in (*_PROCESSORS, *_API):
        found |= {("prometheus", target, 9464), ("prometheus", target, 8080)}
    found |= {("prometheus", "books-exporter", 9464), ("grafana", "prometheus", 9090)}
    return {(a, b, port) for a, b, port in found if {a, b} <= parts}


def _pods(objects: list[Object]) -> dict[str, Pods]:
    found = {pods.part: pods for pods in pods_of(objects)}
    if list(of_kind(objects, "Prometheus")):
        found["prometheus"] = _PROMETHEUS
    return found


def test_what_is_not_allowed_is_denied(objects: list[Object]) -> None:
    assert Network(objects).denies_all()


def test_each_part_reaches_what_it_needs_and_nothing_else(objects: list[Object]) -> None:
    network, pods = Network(objects), _pods(objects)
    reached = {
        (source, target, port)
        for (source, target), port in product(product(pods, pods), _PORTS)
        if network.reaches(pods[source], pods[target], port)
    }
    # Prometheus may ask any pod's metrics; which it does stands in the pod monitors.
    assert reached == _allowed(set(pods))


def test_who_reaches_the_brokers_is_in_their_listener(objects: list[Object]) -> None:
    network, pods = Network(objects), _pods(objects)
    kafka = the(objects, "Kafka", "streaming")
    (listener,) = kafka["spec"]["kafka"]["listeners"]
    peers = listener["networkPolicyPeers"]
    let_in = set(peers[0]["podSelector"]["matchExpressions"][0]["values"])
    asking = {part for part, each in pods.items() if _asks(network, each)}
    assert asking <= let_in
    assert let_in - asking <= {"kafka-ui"}
    if list(of_kind(objects, "KafkaConnect")):
        assert {"podSelector": {"matchLabels": _CONNECT_LABELS}} in peers
        assert _asks(network, _CONNECT)


def _asks(network: Network, pods: Pods) -> bool:
    return any(
        any(port["port"] == 9093 for port in rule.get("ports", ()))
        and any(
            each.get("podSelector", {}).get("matchLabels") == _BROKER_LABELS
            for each in rule.get("to", ())
        )
        for policy in network.selecting(pods, "Egress")
        for rule in policy["egress"]
    )


def test_the_world_reaches_mosquitto_by_tls_and_nothing_else(objects: list[Object]) -> None:
    network = Network(objects)
    open_ports = {
        (part, port)
        for part, each in _pods(objects).items()
        for port in (*_PORTS, *each.ports().values())
        if network.accepts_anybody(each, port)
    }
    assert open_ports == {("mosquitto", 8883)}
    loads = {
        one["metadata"]["name"]: one["spec"]["ports"]
        for one in of_kind(objects, "Service")
        if one["spec"].get("type", "ClusterIP") != "ClusterIP"
    }
    assert list(loads) == ["mosquitto-devices"]
    assert [port["port"] for port in loads["mosquitto-devices"]] == [8883]


def test_the_ingress_controller_reaches_what_it_serves_and_nothing_else(
    objects: list[Object],
) -> None:
    network, pods = Network(objects), _pods(objects)
    reached = {
        (part, port)
        for part, each in pods.items()
        for namespace, port in network.accepts_namespaces(each)
        if namespace == "nginx-ingress"
    }
    served = {
        ("api-head", 8000),
        ("api", 8000),
        *((part, 8265) for part in _PROCESSORS),
        ("kafka-ui", 8080),
        ("mqtt-ui", 5721),
        ("mosquitto", 9001),
        ("grafana", 3000),
    }
    assert reached == {(part, port) for part, port in served if part in pods}


def test_every_pod_has_a_policy_and_every_policy_has_pods(objects: list[Object]) -> None:
    network, pods = Network(objects), _pods(objects)
    for part, each in pods.items():
        assert part, f"{each.owner} has no label imustream/part"
        both = network.selecting(each, "Ingress") + network.selecting(each, "Egress")
        # All may look names up; that says nothing of this one.
        assert any(policy["podSelector"] for policy in both), part
    known = [*pods.values(), _BROKER, _CONNECT, _BACKFILL]
    for one in of_kind(objects, "NetworkPolicy"):
        selector = one["spec"]["podSelector"]
        assert any(selects(selector, each.labels) for each in known), one["metadata"]["name"]
