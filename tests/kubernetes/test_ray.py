"""A RayService with a real Ray in its pods, which serves our applications; and its upgrade.

The pods of Redis and of the RayService run their own commands (pods.py); the RayCluster
`processors` beside them has pods in name, and a real slot goes on committing to a real Kafka.
"""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.settings import load_settings
from serve.auth import new_token
from serve.signing_key import new_key_pem
from tests.kubernetes.beside import Beside, Commits
from tests.kubernetes.control_plane import ControlPlane
from tests.kubernetes.made_up_secrets import RAY_TOKEN, made_by_others
from tests.kubernetes.network import Network
from tests.kubernetes.overlays import Object, apply_all, of_kind, overlay, ray_pods, remove_all
from tests.kubernetes.pods import NAMESPACE, USER, Pods
from tests.kubernetes.processes import Processes, wait_until
from tests.kubernetes.real_pods import of_part, real_pods, tails
from tests.kubernetes.servers import Servers
from tests.kubernetes.test_overlays import known

READY_S = 300.0
UPGRADE_S = 300.0
_HERE = ("--namespace", NAMESPACE)


@pytest.fixture(scope="module")
def signing_key() -> str:
    """The key of the local issuer."""
    return new_key_pem()


def with_two_replicas(objects: list[Object]) -> list[Object]:
    """Return the overlay for one node with the RayService of the one for many."""
    production = overlay("production")
    text = json.dumps(of_kind(production, "RayService"))
    settings = [
        next(
            one["metadata"]["name"]
            for one in of_kind(some, "ConfigMap")
            if one["metadata"]["name"].startswith("imustream-settings-")
        )
        for some in (production, objects)
    ]
    # It is too large for the quota of one node.
    others = [one for one in objects if one["kind"] not in ("RayService", "ResourceQuota")]
    return [*others, *json.loads(text.replace(*settings))]


@pytest.fixture(scope="module")
def applied(control_plane: ControlPlane, signing_key: str) -> Iterator[list[Object]]:
    """The overlay for one node, but two of api and live; and the Secrets it names."""
    objects = with_two_replicas(known(overlay("single-node")))
    apply_all(control_plane, [*objects, *made_by_others(signing_key)])
    yield objects
    remove_all(control_plane)


@pytest.fixture(scope="module")
def pods(
    control_plane: ControlPlane,
    network: Network,
    processes: Processes,
    folder: Path,
    servers: Servers,
    applied: list[Object],
) -> Iterator[Pods]:
    """The pods that run for real."""
    parts = ("api-head", "api")
    with real_pods(control_plane, network, processes, servers, folder / "api", parts) as running:
        yield running


@pytest.fixture(scope="module")
def commits(beside: Beside) -> Iterator[Commits]:
    """Those of a slot of sensor_processing that is fed."""
    beside.start("slot", "tests.kubernetes.fed_slot")
    followed = beside.follow_commits("commits-of-slot")
    wait_until("commit of the slot", lambda: followed.look() > 0, 90)
    yield followed
    beside.stop("commits-of-slot")
    beside.stop("slot")


def service_of(control_plane: ControlPlane) -> Object:
    found: Object = control_plane.get("rayservice/api", *_HERE)
    return found


def condition(service: Object, kind: str) -> str:
    found = service.get("status", {}).get("conditions", ())
    return next((one["status"] for one in found if one["type"] == kind), "Unknown")


def active(service: Object) -> str:
    status = service.get("status", {}).get("activeServiceStatus", {})
    return str(status.get("rayClusterName", ""))


def applications(service: Object) -> dict[str, str]:
    status = service.get("status", {}).get("activeServiceStatus", {})
    found = status.get("applicationStatuses", {})
    return {name: one["status"] for name, one in found.items()}


def wait_until_ready(control_plane: ControlPlane, pods: Pods, not_cluster: str = "") -> Object:
    """Wait until the RayService serves from a cluster other than ``not_cluster``."""
    limit_s = UPGRADE_S if not_cluster else READY_S

    def is_ready() -> bool:
        pods.running()
        service = service_of(control_plane)
        ready = condition(service, "Ready") == "True"
        return ready and active(service) not in ("", not_cluster)

    try:
        wait_until("Ready RayService", is_ready, limit_s)
    except AssertionError as error:
        status = json.dumps(service_of(control_plane).get("status", {}), indent=1)
        raise AssertionError(f"{error}\n{status}\n{tails(pods)}") from None
    return service_of(control_plane)


def processors(control_plane: ControlPlane) -> dict[str, str]:
    """The uids of the RayCluster `processors` and of its pods."""
    cluster = control_plane.get("raycluster/processors", *_HERE)
    made = [
        pod
        for pod in ray_pods(control_plane)
        if pod["metadata"]["labels"]["ray.io/cluster"] == "processors"
    ]
    return {one["metadata"]["name"]: one["metadata"]["uid"] for one in [cluster, *made]}


def is_live(beside: Beside, address: str) -> bool:
    """Whether the API answers at a pod."""
    return beside.ask(f"http://{address}:8000/health/live") == (200, '{"live":true}')


def test_the_ray_service_becomes_ready_and_serves_our_applications(
    control_plane: ControlPlane, beside: Beside, pods: Pods, signing_key: str, commits: Commits
) -> None:
    service = wait_until_ready(control_plane, pods)
    assert applications(service) == dict.fromkeys(("api", "live", "inference"), "RUNNING")
    first, second = of_part(pods, "api")
    for worker in (first, second):
        # A kubelet would ask this before the Service leads there; kwok says ready at once.
        wait_until(f"proxy in {worker.name}", lambda at=worker.address: is_live(beside, at), 60)
    url = f"http://{second.address}:8000"
    assert beside.ask(f"{url}/api/v1/pipelines")[0] == 401
    settings = load_settings(auth={"signing_key": signing_key})
    bearer = f"Authorization: Bearer {new_token(settings, 1.0)}"
    pipelines = f"{url}/api/v1/pipelines"
    wait_until("answer out of Kafka", lambda: beside.ask(pipelines, bearer)[0] == 200, 60)
    assert "sensor-processing" in beside.ask(pipelines, bearer)[1]
    status, body = beside.ask(f"{url}/v2/models/velocity", bearer)
    assert (status, json.loads(body)["name"]) == (200, "velocity")
    # `live` answers, and says that it speaks WebSocket only.
    assert beside.ask(f"{url}/ws/alarms", bearer)[0] in (400, 403, 404, 426)
    # The Service that clients use leads to the pods of this cluster.
    front = control_plane.get("service/fastapi-service", *_HERE)
    assert front["spec"]["selector"]["ray.io/cluster"] == active(service)
    assert [port["port"] for port in front["spec"]["ports"]] == [8000]


def test_what_a_kubelet_asks_is_answered_without_a_token_and_the_rest_is_not(
    control_plane: ControlPlane, beside: Beside, pods: Pods
) -> None:
    wait_until_ready(control_plane, pods)
    for pod in (*of_part(pods, "api-head"), *of_part(pods, "api")):
        assert beside.ask(f"http://{pod.address}:52365/api/healthz")[0] == 200
    (head,) = of_part(pods, "api-head")
    jobs = f"http://{head.address}:8265/api/jobs/"
    assert beside.ask(jobs)[0] in (401, 403)
    assert beside.ask(jobs, "Authorization: Bearer another")[0] in (401, 403)
    assert beside.ask(jobs, f"Authorization: Bearer {RAY_TOKEN}")[0] == 200


def test_processes_in_pods_are_the_user_that_the_manifests_say(
    control_plane: ControlPlane, pods: Pods
) -> None:
    wait_until_ready(control_plane, pods)
    for pod in pods.running():
        found = subprocess.run(
            ["ip", "netns", "pids", pod.namespace], capture_output=True, text=True, check=True
        ).stdout.split()
        users = {Path(f"/proc/{pid}").stat().st_uid for pid in found if _is_inside(pid)}
        assert users == {USER}, pod.name


def _is_inside(pid: str) -> bool:
    """Whether a process is the pod's own, not the one that waits for it outside."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return bool(command) and not command.startswith(b"unshare\0")


def test_an_upgrade_leaves_the_processors_alone_while_a_slot_goes_on_committing(
    control_plane: ControlPlane, beside: Beside, commits: Commits, pods: Pods
) -> None:
    before = active(wait_until_ready(control_plane, pods))
    uids = processors(control_plane)
    assert len(uids) == 4
    began, done = time.monotonic(), commits.begin()
    control_plane.kubectl(
        *("patch", "rayservice/api", *_HERE, "--type=json"),
        '--patch=[{"op": "add", "path": '
        '"/spec/rayClusterConfig/workerGroupSpecs/0/template/spec/containers/0/env/-", '
        '"value": {"name": "IMUSTREAM_LIVE__QUEUE_MESSAGES", "value": "65"}}]',
    )
    outages: list[str] = []
    while active(service_of(control_plane)) in ("", before):
        assert time.monotonic() - began < UPGRADE_S, tails(pods)
        commits.look()
        front = control_plane.get("service/fastapi-service", *_HERE)["spec"]["selector"]
        for pod in of_part(pods, "api"):
            if pod.labels["ray.io/cluster"] == front["ray.io/cluster"]:
                status, body = beside.ask(f"http://{pod.address}:8000/health/live")
                if status != 200:
                    outages.append(f"{status} {body}")
        time.sleep(1)
    took_s = time.monotonic() - began
    service = wait_until_ready(control_plane, pods, before)
    assert processors(control_plane) == uids
    assert not outages
    more, longest_s = commits.look() - done, commits.longest_s()
    print(f"\nupgrade in {took_s:.0f} s; {more} records committed, at most {longest_s:.1f} s apart")
    assert more > took_s
    assert longest_s < 15
    front = control_plane.get("service/fastapi-service", *_HERE)["spec"]["selector"]
    assert front["ray.io/cluster"] == active(service) != before
