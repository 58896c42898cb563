"""Whatever a manifest names is there, or README.md says who makes it."""

import re
from collections.abc import Iterator
from typing import Any, Final

from cluster.setup.paths import ROOT
from tests.manifests.pods import Pods, pods_of, selects
from tests.manifests.rendering import Object, named, of_kind, the

_README: Final = ROOT / "cluster" / "kubernetes" / "README.md"
_SECRET_ROW: Final = re.compile(r"^\| `([a-z0-9-]+)` \| ((?:`[^`]+`(?:, )?)+) \|", re.MULTILINE)

_SERVICES: Final = {
    "fastapi-service": 8000,
    "kafka-bootstrap": 9092,
    "kafka-ui": 8080,
    "mongodb-service": 27017,
    "mosquitto-service": 1883,
    "mqtt-ui-service": 5721,
}
"""The stable names: whoever meets us in the namespace counts on them."""

_KUBERAY_MAKES: Final = {"processors-head-svc": {8265}, "fastapi-service": {8000}}


def _secrets_of_readme() -> dict[str, set[str]]:
    return {
        name: set(re.findall(r"`([^`]+)`", keys))
        for name, keys in _SECRET_ROW.findall(_README.read_text())
    }


def _secrets(objects: list[Object]) -> dict[str, set[str]]:
    """Return the Secrets that somebody makes, with their keys."""
    found = _secrets_of_readme()
    for one in of_kind(objects, "KafkaUser"):
        found[one["metadata"]["name"]] = {"password", "sasl.jaas.config"}
    for one in of_kind(objects, "Kafka"):
        found[f"{one['metadata']['name']}-cluster-ca-cert"] = {"ca.crt"}
    for one in of_kind(objects, "Certificate"):
        found[one["spec"]["secretName"]] = {"tls.crt", "tls.key", "ca.crt"}
    return found


def _asked_secrets(pods: Pods) -> Iterator[tuple[str, str | None]]:
    """Yield each Secret that a pod names, with the key; None where it takes all of it."""
    for volume in pods.spec.get("volumes", ()):
        sources = [each["secret"] for each in _projected(volume) if "secret" in each]
        if "secret" in volume:
            sources.append({**volume["secret"], "name": volume["secret"]["secretName"]})
        for source in sources:
            for item in source.get("items", [{"key": None}]):
                yield source["name"], item["key"]
    for one in pods.containers():
        for variable in one.get("env", ()):
            found = variable.get("valueFrom", {}).get("secretKeyRef")
            if found:
                yield found["name"], found["key"]


def _projected(volume: dict[str, Any]) -> list[dict[str, Any]]:
    sources: list[dict[str, Any]] = volume.get("projected", {}).get("sources", [])
    return sources


def _asked_config_maps(pods: Pods) -> Iterator[str]:
    for volume in pods.spec.get("volumes", ()):
        if "configMap" in volume and not volume["configMap"].get("optional"):
            yield volume["configMap"]["name"]
    for one in pods.containers():
        yield from (each["configMapRef"]["name"] for each in one.get("envFrom", ()))


def test_every_secret_that_is_named_is_made_by_somebody(objects: list[Object]) -> None:
    made = _secrets(objects)
    for pods in pods_of(objects):
        for name, key in _asked_secrets(pods):
            assert name in made, f"{pods.owner} wants {name}, which README.md does not list"
            assert key is None or key in made[name], f"{pods.owner} wants {key} of {name}"
    for one in of_kind(objects, "Ingress"):
        for tls in one["spec"].get("tls", ()):
            assert tls["secretName"] in made, named(one)
        users = one["metadata"].get("annotations", {}).get("nginx.org/basic-auth-secret")
        assert users is None or users in made, named(one)


def test_the_secrets_of_readme_are_those_that_aws_gives(objects: list[Object]) -> None:
    given = {one["spec"]["target"]["name"] for one in of_kind(objects, "ExternalSecret")}
    if given:
        elsewhere = {"s3-credentials"}
        assert given - {"registry-pull"} == set(_secrets_of_readme()) - elsewhere - {
            "registry-pull"
        }


def test_config_maps_accounts_and_claims_that_are_named_are_there(objects: list[Object]) -> None:
    there = {(one["kind"], one["metadata"]["name"]) for one in objects}
    for pods in pods_of(objects):
        assert ("ServiceAccount", pods.spec["serviceAccountName"]) in there, pods.owner
        for name in _asked_config_maps(pods):
            assert ("ConfigMap", name) in there, f"{pods.owner} wants {name}"
        for volume in pods.spec.get("volumes", ()):
            claim = volume.get("persistentVolumeClaim", {}).get("claimName")
            assert claim is None or ("PersistentVolumeClaim", claim) in there, pods.owner


def test_every_mount_is_of_a_volume_and_every_volume_is_mounted(objects: list[Object]) -> None:
    claims = {
        named(one): {each["metadata"]["name"] for each in one["spec"]["volumeClaimTemplates"]}
        for one in of_kind(objects, "StatefulSet")
    }
    for pods in pods_of(objects):
        volumes = {each["name"] for each in pods.spec.get("volumes", ())}
        volumes |= claims.get(pods.owner, set())
        mounted = {
            each["name"] for one in pods.containers() for each in one.get("volumeMounts", ())
        }
        assert mounted == volumes, pods.owner


def test_every_object_is_in_the_namespace_or_of_the_cluster(objects: list[Object]) -> None:
    of_cluster = {"Namespace", "PriorityClass", "ClusterIssuer"}
    for one in objects:
        wanted = None if one["kind"] in of_cluster else "streaming-kafka"
        assert one["metadata"].get("namespace") == wanted, named(one)


def test_services_have_their_stable_names_and_lead_to_a_port(objects: list[Object]) -> None:
    found = {}
    for one in of_kind(objects, "Service"):
        selector, ports = one["spec"]["selector"], one["spec"]["ports"]
        found[one["metadata"]["name"]] = {port["port"] for port in ports}
        behind = [
            pods for pods in pods_of(objects) if selects({"matchLabels": selector}, pods.labels)
        ]
        for port in ports:
            wanted = port["targetPort"]
            ours = isinstance(wanted, str) and selector.keys() & {"app.kubernetes.io/name"}
            assert not ours or all(wanted in pods.ports() for pods in behind), named(one)
        assert behind or selector.keys() & {"strimzi.io/cluster", "imustream/part"}, named(one)
    (ray,) = of_kind(objects, "RayService")
    serve = ray["spec"]["serveService"]
    found[serve["metadata"]["name"]] = {port["port"] for port in serve["spec"]["ports"]}
    for name, port in _SERVICES.items():
        assert port in found[name], name


def test_an_ingress_leads_to_a_service_that_there_is(objects: list[Object]) -> None:
    there = _KUBERAY_MAKES | {
        one["metadata"]["name"]: {port["port"] for port in one["spec"]["ports"]}
        for one in of_kind(objects, "Service")
    }
    for one in of_kind(objects, "Ingress"):
        for rule in one["spec"]["rules"]:
            for path in rule.get("http", {}).get("paths", ()):
                service = path["backend"]["service"]
                assert service["port"]["number"] in there[service["name"]], named(one)


def test_a_disruption_budget_has_pods_and_lets_some_go(objects: list[Object]) -> None:
    for one in of_kind(objects, "PodDisruptionBudget"):
        spec = one["spec"]
        kept = [pods for pods in pods_of(objects) if selects(spec["selector"], pods.labels)]
        assert kept, named(one)
        # The bound counts the pods of one Ray cluster, since an upgrade is not always under way.
        most = min(pods.most for pods in kept)
        assert spec.get("minAvailable", 0) < most or "maxUnavailable" in spec, named(one)


def test_a_pod_monitor_finds_its_port(objects: list[Object]) -> None:
    for one in of_kind(objects, "PodMonitor"):
        spec = one["spec"]
        if one["metadata"]["name"] in ("ray", "kafka"):
            continue
        asked = [pods for pods in pods_of(objects) if selects(spec["selector"], pods.labels)]
        parts = set(spec["selector"]["matchExpressions"][0]["values"])
        assert {pods.part for pods in asked} == parts
        for endpoint in spec["podMetricsEndpoints"]:
            for pods in asked:
                assert endpoint["port"] in pods.ports(), f"{named(one)} {pods.owner}"


def test_prometheus_looks_at_all_that_is_made_for_it(objects: list[Object]) -> None:
    for prometheus in of_kind(objects, "Prometheus"):
        spec = prometheus["spec"]
        for kind, selector in (
            ("PodMonitor", "podMonitorSelector"),
            ("PrometheusRule", "ruleSelector"),
        ):
            made = list(of_kind(objects, kind))
            assert made
            for one in made:
                assert selects(spec[selector], one["metadata"]["labels"]), named(one)


def test_a_host_is_the_same_wherever_it_stands(objects: list[Object]) -> None:
    api = the(objects, "Ingress", "api")["spec"]
    assert api["tls"][0]["hosts"] == [api["rules"][0]["host"]]
    assert the(objects, "Certificate", "api")["spec"]["dnsNames"] == api["tls"][0]["hosts"]
    admin = the(objects, "Ingress", "admin")["spec"]
    assert the(objects, "Certificate", "admin")["spec"]["dnsNames"] == admin["tls"][0]["hosts"]
    for one in of_kind(objects, "Ingress"):
        if one["metadata"]["name"] != "api":
            assert [rule["host"] for rule in one["spec"]["rules"]] == admin["tls"][0]["hosts"]
