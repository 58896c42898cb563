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
from xdist.scheduler import LoadScopeScheduling

from cluster.local.ports import settings_on_free_ports
from cluster.local.ray_head import ray_environment
from cluster.local.stack import PARTS, Stack

# Ray reads some of it when it is imported, which the tests do after this file.
os.environ.update(ray_environment())

# How long an example takes says more of what else the machine does than of the code.
# The same examples each time, so that a run says something of the change it was made for; new ones
# are looked for by `pytest --hypothesis-profile explore tests/unit`.
hypothesis.settings.register_profile("explore", deadline=None)
hypothesis.settings.register_profile("imustream", deadline=None, derandomize=True)
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
        "logging": {"format": "json"},
    }
    with running_stack(PARTS, **sections) as stack:
        _up.append(stack)
        yield stack


_up: list[Stack] = []
"""The stack while its tests run."""


def pytest_runtest_setup(item: pytest.Item) -> None:
    """End the stack before the tests that do without it: idle it takes half a core from them."""
    if _up and not _shares_the_stack(item):
        _up.pop().down()


SHARING_THE_STACK = {
    "integration/test_security.py",
    "integration/test_real_motion.py",
    "integration/test_backfill_of_stack.py",
    "integration/test_trace.py",
    "integration/test_ml_inference_stack.py",
    "browser/test_dashboard_real.py",
    "faults/test_faults_under_load.py",
    "faults/test_replay.py",
}
"""Files whose tests one worker runs, or there would be two stacks; the faults last among them: they
leave hundreds of sensors behind, of which the dashboard would show the first."""

_FOLDERS = (
    *("unit", "manifests", "shared", "integration"),
    *("cluster", "image", "browser", "kubernetes"),
)
_ON_THE_STACK = ("integration", "browser", "faults")


class ByFile(LoadScopeScheduling):
    """Hands whole files to workers; those that share the stack are one.

    Written out, because xdist 3.8 does not group by marks under pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0].removeprefix("tests/")
        return "the stack" if file in SHARING_THE_STACK else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    """Tell xdist how tests are shared out."""
    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what is quick first, then the longest share, the browser at the end.

    Its driver keeps an event loop running, and what follows in the same process could have none of
    its own.
    """
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> tuple[int, int]:
    folder = item.path.parent.name
    if _shares_the_stack(item):
        return _FOLDERS.index("shared"), _ON_THE_STACK.index(folder)
    assert not _uses_the_stack(item), f"name {item.path.name} in SHARING_THE_STACK"
    return _FOLDERS.index(folder), 0


def _shares_the_stack(item: pytest.Item) -> bool:
    return f"{item.path.parent.name}/{item.path.name}" in SHARING_THE_STACK


def _uses_the_stack(item: pytest.Item) -> bool:
    """Whether the fixture `stack` of this file is asked for; some modules have one of their own."""
    found: Any = getattr(item, "_fixtureinfo", None)
    defined = found.name2fixturedefs.get("stack", ()) if found else ()
    return bool(defined) and defined[-1].baseid == "tests"
