"""The keeper of a cluster's processors, on a real Ray head: what it submits, and when again."""

import logging
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import psutil
import pytest

from cluster.chaos.strikes import processes
from cluster.kubernetes import keeper as keeping
from cluster.kubernetes.health_server import serve_health
from cluster.kubernetes.job_board import JobBoard
from cluster.kubernetes.keeper import PROGRAMS, GaveUpError, Keeper, own_settings
from cluster.kubernetes.keeper_plan import Status
from cluster.local.settings_environment import child_environment
from cluster.local.stack import Stack
from cluster.setup.paths import ROOT
from pipelines.settings import Settings
from tests.conftest import running_stack

pytestmark = pytest.mark.slow
READY_S = 180.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[Stack]:
    """Kafka, Mosquitto, the document database and a Ray head on which nothing of ours runs."""
    with running_stack(("kafka", "mosquitto", "documentdb", "ray")) as stack:
        yield stack


def board(settings: Settings) -> JobBoard:
    return JobBoard(f"http://127.0.0.1:{settings.local.dashboard_port}")


def keeper(stack: Stack, version: str) -> Keeper:
    env = own_settings(child_environment(stack.settings, ROOT))
    return Keeper(board(stack.settings), version, env)


def keep_until_ready(one: Keeper) -> None:
    deadline_s = time.monotonic() + READY_S
    while not one.ready():
        assert time.monotonic() < deadline_s, "the keeper is not ready"
        one.look()
        time.sleep(1)


def submitted(stack: Stack, version: str) -> list[tuple[str, Status]]:
    jobs = board(stack.settings).jobs()
    return sorted((job.program, job.status) for job in jobs if job.version == version)


def succeeded() -> list[tuple[str, Status]]:
    return sorted((program, Status.SUCCEEDED) for program in PROGRAMS)


def slots(stack: Stack) -> set[int]:
    found: list[psutil.Process] = processes(stack, "Processor")
    return {process.pid for process in found}


def test_a_new_cluster_is_given_the_stream_once(cluster: Stack) -> None:
    first = keeper(cluster, "v1")
    keep_until_ready(first)
    assert submitted(cluster, "v1") == succeeded()
    assert slots(cluster)
    # Another keeper of the same version, as after a restart of its pod, has nothing to do.
    second = keeper(cluster, "v1")
    second.look()
    assert second.ready()
    assert submitted(cluster, "v1") == succeeded()


def test_a_new_version_submits_again_and_replaces_only_what_differs(cluster: Stack) -> None:
    keep_until_ready(keeper(cluster, "v1"))
    before = slots(cluster)
    keep_until_ready(keeper(cluster, "v2"))
    assert submitted(cluster, "v2") == succeeded()
    assert slots(cluster) == before


def test_a_head_of_other_code_is_waited_for_and_in_the_end_named(
    cluster: Stack, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(keeping, "command", lambda program: _of_other_code(*program))
    monkeypatch.setattr("cluster.kubernetes.keeper_plan.MAX_FAILURES", 2)
    other = keeper(cluster, "v3")
    deadline_s = time.monotonic() + READY_S
    with pytest.raises(GaveUpError, match="this head runs code"):
        while time.monotonic() < deadline_s:
            other.look()
            assert not other.ready()
            time.sleep(0.5)
    assert "was submitted as job" in caplog.text


def _of_other_code(*program: str) -> str:
    return " ".join(["python -m cluster.kubernetes.submitted 000000000000", *program])


def test_a_cluster_that_is_a_new_one_is_given_the_stream_again(
    cluster: Stack, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    one = keeper(cluster, "v4")
    keep_until_ready(one)
    before = slots(cluster)
    cluster.stop("ray")
    one.look()
    assert not one.ready()
    assert "no Ray at" in caplog.text
    cluster.start("ray")
    keep_until_ready(one)
    assert submitted(cluster, "v4") == succeeded()
    after = slots(cluster)
    assert after
    assert not after & before


def test_a_kubelet_is_answered() -> None:
    yes, no = serve_health(0, lambda: True, lambda: False), 503
    url = f"http://127.0.0.1:{yes.server_port}"
    with urllib.request.urlopen(f"{url}/alive") as answer:
        assert answer.status == 200
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{url}/ready")
    assert refused.value.code == no
    yes.shutdown()
