"""The stream on the RayCluster `processors` with a real Ray in its pods, started by the keeper.

A fleet publishes all the while; the head is lost, then the node of the slots. Nothing is lost or
doubled, and while the head is away the slots go on.
"""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kubernetes.beside import Beside, Commits
from tests.kubernetes.control_plane import ControlPlane
from tests.kubernetes.made_up_secrets import made_by_others
from tests.kubernetes.network import Network
from tests.kubernetes.overlays import apply_all, overlay, remove_all
from tests.kubernetes.pods import NAMESPACE, Pods, RealPod
from tests.kubernetes.processes import Processes, wait_until
from tests.kubernetes.real_pods import of_part, real_pods, tails
from tests.kubernetes.servers import Servers
from tests.kubernetes.test_overlays import known

READY_S = 400.0
BACK_S = 180.0
DRAINED_S = 120.0
HEAD, WORKER, BRIDGE, KEEPER = "processors-head", "processors", "bridge", "processors-keeper"
_HERE = ("--namespace", NAMESPACE)
_FLEET = "fleet"
_SENSORS = 20
_PROVED = ("sensor-processing", "session-aggregation", "session-writer", "ml-inference")


@pytest.fixture(scope="module")
def pods(
    control_plane: ControlPlane,
    network: Network,
    processes: Processes,
    folder: Path,
    servers: Servers,
) -> Iterator[Pods]:
    """The pods that run for real, of the overlay for one node."""
    apply_all(control_plane, [*known(overlay("single-node")), *made_by_others()])
    parts = (HEAD, WORKER, BRIDGE, KEEPER)
    try:
        with real_pods(
            control_plane, network, processes, servers, folder / "processors", parts
        ) as running:
            yield running
    finally:
        remove_all(control_plane)


@pytest.fixture(scope="module")
def report(pods: Pods, beside: Beside, folder: Path) -> Path:
    """What the fleet says it has sent, once it has ended; it begins when the keeper is ready."""
    wait_until_started(pods, beside)
    file = folder / "sent.json"
    arguments = ("--sensors", str(_SENSORS), "--report", str(file))
    beside.start(_FLEET, "cluster.cli", "simulate", *arguments)
    return file


@pytest.fixture(scope="module")
def commits(beside: Beside, report: Path) -> Iterator[Commits]:
    """Those of the real slots."""
    followed = beside.follow_commits("commits-of-cluster")
    wait_until("commit", lambda: followed.look() > 0, 90)
    yield followed
    beside.stop("commits-of-cluster")


def is_ready(pods: Pods, beside: Beside) -> bool:
    keepers = of_part(pods, KEEPER)
    return bool(keepers) and beside.ask(f"http://{keepers[0].address}:8080/ready")[0] == 200


def wait_until_started(pods: Pods, beside: Beside) -> None:
    try:
        wait_until("ready keeper", lambda: is_ready(pods, beside), READY_S)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{tails(pods)}") from None


def slots_in(pod: RealPod) -> set[str]:
    """The process ids of the slots in a pod; Ray titles them by their pipeline."""
    found = subprocess.run(
        ["ip", "netns", "pids", pod.namespace], capture_output=True, text=True, check=True
    ).stdout.split()
    return {pid for pid in found if _title(pid).startswith("ray::Processor")}


def _title(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def lose(control_plane: ControlPlane, pods: Pods, part: str) -> None:
    """Delete a part's pod; returns when another runs."""
    (old,) = of_part(pods, part)
    control_plane.kubectl("delete", f"pod/{old.name}", *_HERE, "--wait=false")

    def replaced() -> bool:
        return any(pod.name != old.name for pod in of_part(pods, part))

    wait_until(f"new pod of {part}", replaced, 60)


def submitted(pods: Pods) -> int:
    (keeper,) = of_part(pods, KEEPER)
    return pods.log(keeper).read_text().count("was submitted as job")


def test_the_keeper_starts_the_stream_where_it_belongs(
    pods: Pods, beside: Beside, commits: Commits
) -> None:
    assert submitted(pods) == 2
    (worker,), (bridge,), (head,) = (of_part(pods, part) for part in (WORKER, BRIDGE, HEAD))
    assert len(slots_in(worker)) == 5
    assert not slots_in(bridge)
    assert not slots_in(head)
    titles = subprocess.run(
        ["ip", "netns", "pids", bridge.namespace], capture_output=True, text=True, check=True
    ).stdout.split()
    assert any(_title(pid).startswith("ray::Bridge") for pid in titles)


def test_the_stream_goes_on_while_the_head_is_replaced(
    control_plane: ControlPlane, pods: Pods, beside: Beside, commits: Commits
) -> None:
    (worker,) = of_part(pods, WORKER)
    before = slots_in(worker)
    jobs = submitted(pods)
    done = commits.begin()
    began = time.monotonic()
    lose(control_plane, pods, HEAD)

    def back() -> bool:
        commits.look()
        return answers(pods, beside)

    try:
        wait_until("answer of the new head", back, BACK_S)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{tails(pods)}") from None
    away_s, longest_s = time.monotonic() - began, commits.longest_s()
    print(f"\nhead away for {away_s:.0f} s; commits at most {longest_s:.1f} s apart")
    assert longest_s < 15
    wait_until("ready keeper", lambda: is_ready(pods, beside), BACK_S)
    assert commits.look() > done
    assert slots_in(worker) == before
    assert submitted(pods) == jobs


def answers(pods: Pods, beside: Beside) -> bool:
    """Whether the head's node is well."""
    heads = of_part(pods, HEAD)
    return bool(heads) and beside.ask(f"http://{heads[0].address}:52365/api/healthz")[0] == 200


def test_a_node_that_goes_hands_its_slots_over_before(
    control_plane: ControlPlane, pods: Pods, commits: Commits
) -> None:
    (old,) = of_part(pods, WORKER)
    set_workers(control_plane, 2)
    wait_until("second worker", lambda: len(of_part(pods, WORKER)) == 2, 60)
    (new,) = (pod for pod in of_part(pods, WORKER) if pod.name != old.name)
    wait_until("Ray in the second worker", lambda: bool(ray_processes_in(new)), 90)
    commits.begin()
    began = time.monotonic()
    left = pods.pre_stop(old)
    assert left.returncode == 0, left.stdout + left.stderr
    took_s = time.monotonic() - began

    def moved() -> bool:
        commits.look()
        return not slots_in(old) and len(slots_in(new)) == 5

    wait_until("slots in the other worker", moved, BACK_S)
    done = commits.look()
    wait_until("commit there", lambda: commits.look() > done, 60)
    print(f"\nlet go in {took_s:.0f} s; commits at most {commits.longest_s():.1f} s apart")
    assert commits.longest_s() < 30
    control_plane.kubectl("delete", f"pod/{old.name}", *_HERE, "--wait=false")
    set_workers(control_plane, 1)
    wait_until("one worker", lambda: of_part(pods, WORKER) == [new], 60)


def set_workers(control_plane: ControlPlane, count: int) -> None:
    """As the autoscaler would, whose sidecar does not run here."""
    fields = ("maxReplicas", "replicas") if count > 1 else ("replicas", "maxReplicas")
    patches = [
        {"op": "replace", "path": f"/spec/workerGroupSpecs/1/{field}", "value": count}
        for field in fields
    ]
    patch = f"--patch={json.dumps(patches)}"
    control_plane.kubectl("patch", "raycluster/processors", *_HERE, "--type=json", patch)


def ray_processes_in(pod: RealPod) -> list[str]:
    found = subprocess.run(
        ["ip", "netns", "pids", pod.namespace], capture_output=True, text=True, check=True
    ).stdout.split()
    return [pid for pid in found if "raylet/raylet" in _title(pid)]


def test_slots_start_elsewhere_when_their_node_is_lost(
    control_plane: ControlPlane, pods: Pods, commits: Commits
) -> None:
    commits.begin()
    began = time.monotonic()
    lose(control_plane, pods, WORKER)
    done = commits.begin()

    def goes_on() -> bool:
        # The autoscaler may have asked for one more worker meanwhile.
        slots = sum(len(slots_in(worker)) for worker in of_part(pods, WORKER))
        return commits.look() > done and slots == 5

    try:
        wait_until("commit of new slots", goes_on, BACK_S)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{tails(pods)}") from None
    print(f"\nback at work after {time.monotonic() - began:.0f} s, Ray's start in a pod included")


def test_nothing_is_lost_and_nothing_doubled(
    beside: Beside, processes: Processes, report: Path, commits: Commits
) -> None:
    beside.stop(_FLEET)
    assert report.is_file(), processes.log(_FLEET).read_text()[-2000:]
    stages = [word for stage in _PROVED for word in ("--stage", stage)]
    command = ("cluster.cli", "verify", "--report", str(report), "--json", *stages)
    deadline_s = time.monotonic() + DRAINED_S
    while (proved := beside.run(*command)).returncode != 0 and time.monotonic() < deadline_s:
        time.sleep(2)
    assert proved.returncode == 0, proved.stdout[-3000:] + proved.stderr[-1000:]
    found = json.loads(proved.stdout)
    print("\n" + json.dumps({k: v for k, v in found.items() if not isinstance(v, list | dict)}))
