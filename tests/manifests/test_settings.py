"""Settings in manifests are settings that there are, and say what the manifests mean."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from pipelines.secret_files import secret_paths
from pipelines.settings import Settings, load_settings
from tests.manifests.pods import pods_of
from tests.manifests.rendering import Object, of_kind, the

_OTHERS = {"IMUSTREAM_HAPROXY", "IMUSTREAM_DEPLOYED_AS", "IMUSTREAM_USERNAME", "IMUSTREAM_PASSWORD"}
"""Variables of ours that are no settings."""


def _paths(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _paths(kind, (*path, name))
        else:
            yield (*path, name)


def _variable(path: tuple[str, ...], end: str = "") -> str:
    return f"IMUSTREAM_{'__'.join(path).upper()}{end}"


def _settings(objects: list[Object]) -> dict[str, str]:
    (found,) = (
        one["data"]
        for one in of_kind(objects, "ConfigMap")
        if one["metadata"]["name"].startswith("imustream-settings-")
    )
    return {str(key): str(value) for key, value in found.items()}


def _environments(objects: list[Object]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what each container of ours has in its environment; a Secret's value is None."""
    shared = _settings(objects)
    for pods in pods_of(objects):
        for one in pods.containers():
            own = {each["name"]: each.get("value") for each in one.get("env", ())}
            every = shared if one.get("envFrom") else {}
            yield f"{pods.owner} {one['name']}", every | own


def test_every_variable_is_a_setting(objects: list[Object]) -> None:
    known = {_variable(path) for path in _paths(Settings)}
    known |= {_variable(path, "_FILE") for path in secret_paths(Settings)}
    for owner, environment in _environments(objects):
        ours = {name for name in environment if name.startswith("IMUSTREAM_")}
        assert ours <= known | _OTHERS, f"{owner}: {ours - known - _OTHERS}"


def test_the_shared_settings_are_valid(
    objects: list[Object], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in _settings(objects).items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.kafka.tls
    assert settings.metrics.host == "0.0.0.0"


def test_mosquitto_knows_the_users_that_come_to_it(objects: list[Object]) -> None:
    names: dict[str, set[str]] = {}
    for owner, environment in _environments(objects):
        for name, value in environment.items():
            if name.startswith("IMUSTREAM_MQTT__") and name.endswith("USERNAME"):
                names.setdefault(name, set()).add(f"{value}")
                assert len(names[name]) == 1, f"{owner}: {name} is {names[name]}"
    (users,) = (
        one
        for one in the(objects, "StatefulSet", "mosquitto")["spec"]["template"]["spec"][
            "initContainers"
        ]
        if one["name"] == "users"
    )
    made = {each["name"] for each in users["env"]}
    assert names.keys() <= made


def test_who_logs_in_at_kafka_is_a_user_of_it(objects: list[Object]) -> None:
    users = {one["metadata"]["name"] for one in of_kind(objects, "KafkaUser")}
    for owner, environment in _environments(objects):
        for name in ("IMUSTREAM_KAFKA__USERNAME", "IMUSTREAM_KAFKA__BRIDGE_USERNAME"):
            assert environment.get(name) in users | {None}, owner


def test_files_that_settings_name_are_mounted(objects: list[Object]) -> None:
    for pods in pods_of(objects):
        for one in pods.containers():
            mounts = [each["mountPath"] for each in one.get("volumeMounts", ())]
            for each in one.get("env", ()):
                if each["name"].endswith("_FILE") and each["name"].startswith("IMUSTREAM_"):
                    inside = any(each["value"].startswith(f"{mount}/") for mount in mounts)
                    assert inside, f"{pods.owner} {one['name']} {each['name']}"


def test_certificates_that_are_watched_are_mounted(objects: list[Object]) -> None:
    (exporter,) = the(objects, "Deployment", "books-exporter")["spec"]["template"]["spec"][
        "containers"
    ]
    (named,) = (
        json.loads(each["value"])
        for each in exporter["env"]
        if each["name"] == "IMUSTREAM_METRICS__CERTIFICATES"
    )
    volumes = the(objects, "Deployment", "books-exporter")["spec"]["template"]["spec"]["volumes"]
    (sources,) = (
        each["projected"]["sources"] for each in volumes if each["name"] == "certificates"
    )
    paths = {
        f"/run/certificates/{item['path']}" for each in sources for item in each["secret"]["items"]
    }
    assert set(named) == paths
