"""The stream on several nodes under load, and how long it takes to go on."""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import ray

from actors import bridge, slots, supervisor
from actors.processor import RunFactory
from actors.registry import PIPELINES
from cluster.bench.backlog_progress import (
    LedgerFollower,
    end_offsets,
    wait_until_archived,
    wait_until_drained,
)
from cluster.bench.proof import proof
from cluster.bench.simulated_nodes import SimulatedNodes, simulated_nodes
from cluster.local.ports import settings_on_free_ports
from cluster.local.settings_environment import child_environment
from cluster.local.stack import Stack
from cluster.setup.paths import ROOT
from pipelines import topics
from pipelines.admin import create_topics
from pipelines.errors import UnavailableError
from pipelines.generation import wait_for_generation
from pipelines.settings import Settings
from pipelines.verify import VerifyResult

FIRST: Final = "sensor-processing"
STAGES: Final = (FIRST, "session-aggregation", topics.SESSION_WRITER, topics.ARCHIVE)
"""All but the model, whose replicas Ray Serve keeps."""

SLOTS: Final = 2
_SENSORS: Final = 100
_START_S: Final = 120.0
_FINISH_S: Final = 120.0
_BACK_S: Final = 120.0
_NODE_CPUS: Final = 2.0
_BRIDGE: Final = "bridge"


class SpreadStream:
    """The bridge and the pipelines of :data:`STAGES`, on the nodes of a simulated cluster."""

    def __init__(self, settings: Settings, nodes: SimulatedNodes) -> None:
        self.settings = settings
        self.nodes = nodes

    def add_node(self, name: str) -> None:
        """Add a node on which the bridge may run too."""
        self.nodes.add(name, _NODE_CPUS, {_BRIDGE: 1})

    def start(self) -> None:
        """Start the bridge and the pipelines, and wait until they run."""
        create_topics(self.settings.kafka)
        bridge.start(self.settings)
        wanted: Mapping[str, RunFactory] = {name: PIPELINES[name] for name in STAGES}
        supervisor.start(self.settings, wanted)
        for name in STAGES:
            wait_for_generation(self.settings, name, _START_S, lambda _: None)

    def node_of_bridge(self) -> str:
        """Return where the bridge runs.

        Raises:
            UnavailableError: it runs on no node.
        """
        status = bridge.status(self.settings)
        return self._node(None if status is None else int(status["pid"]), "the bridge")

    def node_of_slot(self) -> str:
        """Return where a slot of the first pipeline runs that shares no node with the bridge.

        Raises:
            UnavailableError: there is none.
        """
        beside = self.node_of_bridge()
        names = [n for n in slots.present(self.settings) if n.pipeline == FIRST]
        found = [
            self._node(status.pid, str(name))
            for name, status in slots.statuses(self.settings, names).items()
        ]
        apart = [node for node in found if node != beside]
        if not apart:
            raise UnavailableError(f"every slot of {FIRST} runs on {beside}, beside the bridge")
        return apart[0]

    def lose(self, node: str) -> float:
        """Lose a node; return the seconds until every partition is processed as before.

        Raises:
            UnavailableError: it is not within two minutes.
        """
        return self._until_all_go_on(lambda: self.nodes.lose(node))

    def wait_until_it_flows(self) -> None:
        """Wait until what comes from now on is processed; raises as :meth:`lose`."""
        self._until_all_go_on(lambda: None)

    def _until_all_go_on(self, do: Callable[[], None]) -> float:
        """Do it; return the seconds until each partition has processed what came after it."""
        follower = LedgerFollower(self.settings)
        try:
            do()
            began = time.monotonic()
            ends = end_offsets(self.settings)
            while not all(follower.next_offset(p) > end for p, end in ends.items()):
                if time.monotonic() - began > _BACK_S:
                    raise UnavailableError(f"{FIRST} does not go on after {_BACK_S:.0f} s")
                follower.poll(0.05)
            return time.monotonic() - began
        finally:
            follower.close()

    @contextmanager
    def fleet(self, folder: Path) -> Iterator[Callable[[], VerifyResult]]:
        """Run a fleet; what is yielded ends it, waits for the pipelines and proves the outcome."""
        report = folder / "sent.json"
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "cluster.cli", "simulate", "--sensors", str(_SENSORS)),
                *("--sensor-prefix", "spread-", "--report", str(report), "--duplicates", "0.02"),
            ],
            env=child_environment(self.settings, ROOT),
            stdout=subprocess.DEVNULL,
        )

        def finish() -> VerifyResult:
            process.terminate()
            if process.wait(_FINISH_S) != 0:
                raise UnavailableError("the fleet could not publish everything")
            wait_until_drained(self.settings, [s for s in STAGES if s != topics.ARCHIVE])
            wait_until_archived(self.settings)
            return proof(self.settings, report, STAGES)

        try:
            yield finish
        finally:
            process.kill()
            process.wait()

    def _node(self, pid: int | None, what: str) -> str:
        node = None if pid is None else self.nodes.node_of(pid)
        if node is None:
            raise UnavailableError(f"{what} runs on none of {', '.join(self.nodes.names)}")
        return node


@contextmanager
def spread_stream(
    node_count: int, environment: Mapping[str, str] | None = None
) -> Iterator[SpreadStream]:
    """Start servers, a head and nodes, and the stream on them; all of it ends with the block.

    ``environment``: further variables of Ray's head and nodes.
    """
    folder = Path(tempfile.mkdtemp(prefix="imustream-spread-"))
    chosen = settings_on_free_ports(
        folder,
        local={"mqtt_anonymous": True},
        slot={"slots": SLOTS},
        archive={"max_staleness_s": 1.0},
        ray={"bridge_resource": _BRIDGE},
    )
    stack = Stack(chosen, ("kafka", "mosquitto", "documentdb"))
    try:
        stack.up()
        settings = stack.settings.model_copy(deep=True)
        with simulated_nodes(settings, environment) as nodes:
            settings.ray.address = nodes.address
            stream = SpreadStream(settings, nodes)
            for number in range(node_count):
                stream.add_node(f"node{number + 1}")
            stream.start()
            yield stream
    finally:
        stack.down()
        shutil.rmtree(folder, ignore_errors=True)


def where_all_is(stream: SpreadStream) -> dict[str, str | None]:
    """Return the node of each named actor; None for the head."""
    statuses = slots.statuses(stream.settings, slots.present(stream.settings))
    found = {str(name): stream.nodes.node_of(status.pid) for name, status in statuses.items()}
    handle = supervisor.find(stream.settings)
    pid = ray.get(handle.status.remote()).pid
    return {**found, "supervisor": stream.nodes.node_of(pid), "bridge": stream.node_of_bridge()}
