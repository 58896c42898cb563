"""Everything that may run at once fits into the namespace's quota, and requests into limits."""

from collections import Counter
from typing import Any

from tests.manifests.pods import pods_of
from tests.manifests.quantities import number
from tests.manifests.rendering import Object, named, of_kind, the


def _needs(objects: list[Object]) -> Counter[str]:
    """Return what the namespace may hold at its largest, operators' pods included."""
    found: Counter[str] = Counter()
    for pods in pods_of(objects):
        found["pods"] += pods.most
        for kind in ("requests", "limits"):
            for what in ("cpu", "memory"):
                lasting = sum(number(each["resources"][kind][what]) for each in pods.lasting())
                found[f"{kind}.{what}"] += pods.most * lasting  # type: ignore[assignment]
    for one in _operators(objects):
        times, resources = one
        found["pods"] += times
        for kind in ("requests", "limits"):
            for what in ("cpu", "memory"):
                found[f"{kind}.{what}"] += times * number(resources[kind][what])  # type: ignore[assignment]
    for head in of_kind(objects, "RayCluster"):
        resources = head["spec"]["autoscalerOptions"]["resources"]
        for kind in ("requests", "limits"):
            for what in ("cpu", "memory"):
                found[f"{kind}.{what}"] += number(resources[kind][what])  # type: ignore[assignment]
    found["requests.storage"] = int(sum(_storage(objects)))
    return found


def _operators(objects: list[Object]) -> list[tuple[int, dict[str, Any]]]:
    """Return how many pods operators make, each with its resources."""
    found = [
        (one["spec"]["replicas"], one["spec"]["resources"])
        for one in of_kind(objects, "KafkaNodePool", "Prometheus", "KafkaConnect")
    ]
    entity = the(objects, "Kafka", "streaming")["spec"]["entityOperator"]
    return [
        *found,
        (1, entity["topicOperator"]["resources"]),
        (1, entity["userOperator"]["resources"]),
    ]


def _storage(objects: list[Object]) -> list[float]:
    sizes = [
        number(one["spec"]["resources"]["requests"]["storage"])
        for one in of_kind(objects, "PersistentVolumeClaim")
    ]
    for one in of_kind(objects, "StatefulSet"):
        for claim in one["spec"]["volumeClaimTemplates"]:
            size = number(claim["spec"]["resources"]["requests"]["storage"])
            sizes.append(one["spec"]["replicas"] * size)
    for one in of_kind(objects, "KafkaNodePool"):
        for volume in one["spec"]["storage"]["volumes"]:
            sizes.append(one["spec"]["replicas"] * number(volume["size"]))
    for one in of_kind(objects, "Prometheus"):
        template = one["spec"]["storage"]["volumeClaimTemplate"]["spec"]
        sizes.append(number(template["resources"]["requests"]["storage"]))
    return sizes


def test_everything_at_its_largest_fits_into_the_quota(objects: list[Object]) -> None:
    quota = the(objects, "ResourceQuota", "namespace")["spec"]["hard"]
    for what, needed in _needs(objects).items():
        assert needed <= number(quota[what]), f"{what}: {needed} of {quota[what]}"


def test_nothing_asks_for_more_than_it_may_take(objects: list[Object]) -> None:
    for pods in pods_of(objects):
        for one in pods.containers():
            requests, limits = one["resources"]["requests"], one["resources"]["limits"]
            for what in ("cpu", "memory"):
                assert number(requests[what]) <= number(limits[what]), f"{pods.owner} {one['name']}"


def test_a_java_heap_leaves_room_for_the_rest(objects: list[Object]) -> None:
    for one in of_kind(objects, "KafkaNodePool", "KafkaConnect"):
        heap = number(one["spec"]["jvmOptions"]["-Xmx"].replace("m", "Mi").replace("g", "Gi"))
        assert heap <= 0.6 * number(one["spec"]["resources"]["limits"]["memory"]), named(one)
