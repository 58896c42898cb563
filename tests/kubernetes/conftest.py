"""A control plane for these tests, which run only where asked for: `make test-kubernetes`."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kubernetes import programs
from tests.kubernetes.beside import Beside
from tests.kubernetes.control_plane import ControlPlane
from tests.kubernetes.network import Network
from tests.kubernetes.processes import Processes
from tests.kubernetes.servers import Servers

ASKED_FOR = "IMUSTREAM_TEST_KUBERNETES"
collect_ignore_glob = [] if os.environ.get(ASKED_FOR) else ["test_*.py"]


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """Everything that a run writes; kept where IMUSTREAM_TEST_KUBERNETES is `keep`."""
    made = Path(tempfile.mkdtemp(prefix="imustream-kubernetes-"))
    made.chmod(0o755)
    yield made
    if os.environ.get(ASKED_FOR) == "keep":
        print(f"kept: {made}")
    else:
        shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="session")
def network() -> Iterator[Network]:
    """The network namespaces."""
    made = Network()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="session")
def processes(folder: Path, network: Network) -> Iterator[Processes]:
    """What runs beside the control plane; all is ended however the tests end."""
    running = Processes(folder / "logs")
    try:
        yield running
    finally:
        running.close()


@pytest.fixture(scope="session")
def control_plane(folder: Path, network: Network, processes: Processes) -> ControlPlane:
    """A running one, with KubeRay's operator."""
    programs.build()
    started = ControlPlane(folder, network, processes)
    started.start()
    started.start_operator()
    return started


@pytest.fixture(scope="module")
def servers(
    folder: Path, network: Network, processes: Processes, request: pytest.FixtureRequest
) -> Iterator[Servers]:
    """Kafka, Mosquitto and the document database, empty for each file of tests."""
    started = Servers(folder / f"servers-{request.module.__name__}", network, processes)
    started.start()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def beside(network: Network, processes: Processes, servers: Servers) -> Beside:
    """Runs our own programs beside the control plane."""
    return Beside(network, processes, servers.environment)
