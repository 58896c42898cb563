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

QUICK_TO_REFUSE = {
    "header_timeout_s": 2,
    # A test asks as often as it likes; each is counted nevertheless.
    "limit_read": "1000000/minute",
    "limit_change": "1000000/minute",
    "limit_login": "1000000/minute",
}
UNLOGGED_SECRET = "no log may hold this secret"


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
    sections: dict[str, dict[str, Any]] = {
        "archive": {"max_staleness_s": 1.0},
        "serve": QUICK_TO_REFUSE,
        "s3": {"secret_key": UNLOGGED_SECRET},
    }
    with running_stack(PARTS, **sections) as stack:
        yield stack


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what is quick first, and tell xdist which tests belong to one worker.

    Those that share the whole stack stay together, or there would be two of them; they come early,
    as the longest share, the faults last among them: they leave hundreds of sensors behind. The
    browser comes at the end: its driver keeps an event loop running, and what follows in the same
    process could have none of its own.
    """
    items.sort(key=_turn)
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_share(item)))


def _turn(item: pytest.Item) -> tuple[int, int]:
    folder = item.path.parent.name
    if folder == "browser":
        return (3, 0)
    if _uses_the_stack(item):
        return (1, ("integration", "faults").index(folder))
    return (("unit", "", "integration").index(folder), 0)


def _share(item: pytest.Item) -> str:
    folder = item.path.parent.name
    return (
        "stack" if folder != "browser" and _uses_the_stack(item) else f"{folder}/{item.path.stem}"
    )


def _uses_the_stack(item: pytest.Item) -> bool:
    return "stack" in getattr(item, "fixturenames", ())
