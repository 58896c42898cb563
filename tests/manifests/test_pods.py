"""How every pod of ours is to be: bounded, watched, without rights it does not need."""

import re
from typing import Any, Final

from tests.manifests.pods import Pods, pods_of
from tests.manifests.rendering import Object, named, of_kind

_ASK_THE_API_SERVER: Final = {"processors-head", "prometheus"}
"""The service accounts whose pods have a token: Ray's autoscaler, and who looks for targets."""

_VOLUMES: Final = {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"}
_PINNED: Final = re.compile(r"(@sha256:[0-9a-f]{64}|:v?\d+(\.\d+)+[\w.-]*)$")
_SECRET_NAME: Final = re.compile(r"PASSWORD|SECRET|TOKEN|SIGNING_KEY|ACCESS_KEY|CREDENTIAL")
_FILE_NAME: Final = re.compile(r"_FILE$")


def _each(objects: list[Object]) -> list[tuple[Pods, str, dict[str, Any]]]:
    return [
        (pods, f"{pods.owner} {one['name']}", one)
        for pods in pods_of(objects)
        for one in pods.containers()
    ]


def test_every_container_says_what_it_needs_and_what_it_may_take(objects: list[Object]) -> None:
    for _, name, one in _each(objects):
        resources = one.get("resources", {})
        for kind in ("requests", "limits"):
            assert {"cpu", "memory"} <= resources.get(kind, {}).keys(), f"{name} {kind}"
        # Memory cannot be taken back: what was not asked for may be gone when it is needed.


def test_what_serves_is_asked_whether_it_lives_and_is_ready(objects: list[Object]) -> None:
    for pods in pods_of(objects):
        for one in pods.lasting() if pods.serves else ():
            if one.get("ports"):
                for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                    assert probe in one, f"{pods.owner} {one['name']} has no {probe}"
    assert any(pods.serves for pods in pods_of(objects))


def test_a_port_that_is_asked_is_one_of_the_container(objects: list[Object]) -> None:
    for _, name, one in _each(objects):
        ports = {port.get("name") for port in one.get("ports", ())}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            for how in ("httpGet", "tcpSocket"):
                port = one.get(probe, {}).get(how, {}).get("port")
                assert port is None or isinstance(port, int) or port in ports, f"{name} {probe}"


def test_no_container_is_root_or_can_become_it_or_write_its_image(objects: list[Object]) -> None:
    for pods in pods_of(objects):
        security = pods.spec["securityContext"]
        assert security["runAsNonRoot"] is True and security["runAsUser"] > 0, pods.owner
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, pods.owner
        for shared in ("hostNetwork", "hostPID", "hostIPC"):
            assert not pods.spec.get(shared), pods.owner
        for volume in pods.spec.get("volumes", ()):
            assert volume.keys() - {"name"} <= _VOLUMES, f"{pods.owner} {volume['name']}"
    for _, name, one in _each(objects):
        security = one["securityContext"]
        assert security["allowPrivilegeEscalation"] is False, name
        assert security["readOnlyRootFilesystem"] is True, name
        assert security["capabilities"] == {"drop": ["ALL"]}, name
        assert security.get("runAsUser", 1) > 0, name


def test_what_is_written_outside_volumes_that_last_has_a_bound(objects: list[Object]) -> None:
    for pods in pods_of(objects):
        for volume in pods.spec.get("volumes", ()):
            if "emptyDir" in volume:
                assert "sizeLimit" in volume["emptyDir"], f"{pods.owner} {volume['name']}"


def test_a_token_is_mounted_only_where_one_is_needed(objects: list[Object]) -> None:
    for one in of_kind(objects, "ServiceAccount"):
        allowed = one["metadata"]["name"] in _ASK_THE_API_SERVER
        assert one.get("automountServiceAccountToken") in ({False, True} if allowed else {False})
    for pods in pods_of(objects):
        account = pods.spec["serviceAccountName"]
        assert account != "default", pods.owner
        allowed = account in _ASK_THE_API_SERVER
        assert pods.spec["automountServiceAccountToken"] is allowed, pods.owner


def test_rights_at_the_api_server_are_of_this_namespace_and_to_look_only(
    objects: list[Object],
) -> None:
    assert not list(of_kind(objects, "ClusterRole", "ClusterRoleBinding"))
    for one in of_kind(objects, "Role"):
        for rule in one["rules"]:
            assert set(rule["verbs"]) <= {"get", "list", "watch"}, named(one)
            assert "secrets" not in rule["resources"] and "*" not in rule["resources"]


def test_every_image_has_a_version_and_ours_a_digest(objects: list[Object]) -> None:
    for _, name, one in _each(objects):
        image = one["image"]
        assert _PINNED.search(image), f"{name}: {image}"
        assert "/" in image, f"{name}: {image} does not say of which registry"
        if "imustream" in image:
            assert "@sha256:" in image, f"{name}: {image}"


def test_no_secret_stands_in_a_manifest(objects: list[Object]) -> None:
    assert not list(of_kind(objects, "Secret"))
    for _, name, one in _each(objects):
        for variable in one.get("env", ()):
            if _SECRET_NAME.search(variable["name"]) and not _FILE_NAME.search(variable["name"]):
                assert "secretKeyRef" in variable.get("valueFrom", {}), f"{name} {variable['name']}"
    for one in of_kind(objects, "ConfigMap"):
        for key, text in one.get("data", {}).items():
            assert "PRIVATE KEY" not in text, f"{named(one)} {key}"
            wrong = _SECRET_NAME.search(key) and not _FILE_NAME.search(key)
            assert not wrong, f"{named(one)} {key}"


def test_who_goes_first_on_a_full_node_is_said(objects: list[Object]) -> None:
    classes = {one["metadata"]["name"] for one in of_kind(objects, "PriorityClass")}
    for pods in pods_of(objects):
        assert pods.spec["priorityClassName"] in classes, pods.owner


def test_pods_that_there_are_several_of_are_spread(objects: list[Object]) -> None:
    for pods in pods_of(objects):
        if pods.part in ("api", "processors"):
            over = {each["topologyKey"] for each in pods.spec["topologySpreadConstraints"]}
            assert {"kubernetes.io/hostname", "topology.kubernetes.io/zone"} <= over, pods.owner


def test_nodes_of_ray_that_do_work_are_left_before_they_end(objects: list[Object]) -> None:
    for pods in pods_of(objects):
        if pods.part in ("api", "processors", "bridge"):
            (ray,) = (one for one in pods.spec["containers"] if one["name"] == "ray-worker")
            assert "preStop" in ray["lifecycle"], pods.owner
            assert pods.spec["terminationGracePeriodSeconds"] >= 30, pods.owner
