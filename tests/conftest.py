"""Real servers for the tests, on free ports and in a folder that goes away with them."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from cluster.local.ports import settings_on_free_ports
from cluster.local.ray_head import ray_environment
from cluster.local.stack import PARTS, Stack

# Ray reads some of it when it is imported, which the tests do after this file.
os.environ.update(ray_environment())

# How long an example takes says more of what else the machine does than of the code.
hypothesis.settings.register_profile("imustream", deadline=None)
hypothesis.settings.load_profile("imustream")

SERVERS = ("kafka", "mosquitto", "documentdb")


@contextmanager
def running_stack(parts: tuple[str, ...], brokers: int = 1, **sections: Any) -> Iterator[Stack]:
    """A stack of these parts; it is stopped and its data removed whatever happens."""
    folder = Path(tempfile.mkdtemp(prefix="imustream-test-"))
    # Most tests publish as many sensors by clients of their own, which have no credentials.
    local = {"brokers": brokers, "mqtt_anonymous": True, **sections.pop("local", {})}
    stack = Stack(settings_on_free_ports(folder, local=local, **sections), parts)
    try:
        stack.up()
        yield stack
    finally:
        stack.down()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def servers() -> Iterator[Stack]:
    """Kafka, Mosquitto and the document database; `.settings` points at them.

    `.stop("kafka")`, `.start("kafka")`, `.kill("mosquitto")`, `.wait_for(...)`, `.pid(...)`.
    """
    with running_stack(SERVERS) as stack:
        yield stack


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Everything that `imustream up` starts, with pipelines and API; archived within seconds."""
    with running_stack(PARTS, archive={"max_staleness_s": 1.0}) as stack:
        yield stack


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what is quick first; the browser after all that needs an event loop of its own.

    Its driver keeps one running. The faults come last: they leave hundreds of sensors behind.
    """
    order = ("unit", "integration", "browser", "faults")
    items.sort(key=lambda item: order.index(item.path.parent.name))
