"""The bridge on a real Ray: there once, restarted when killed, replaced by another deployment."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
import ray
from topic_reader import wait_until

from actors import bridge
from pipelines.admin import create_topics
from pipelines.errors import UnavailableError
from pipelines.settings import Settings
from tests.conftest import running_stack


@pytest.fixture(scope="module")
def settings() -> Iterator[Settings]:
    """A Ray head with Kafka and Mosquitto, and a bridge that runs."""
    with running_stack(("kafka", "mosquitto", "ray")) as stack:
        create_topics(stack.settings.kafka)
        namespace = stack.settings.ray.namespace
        ray.init(stack.settings.ray.address, namespace=namespace, log_to_driver=False)
        try:
            bridge.start(stack.settings)
            yield stack.settings
        finally:
            ray.shutdown()


def status(settings: Settings) -> dict[str, Any]:
    """The bridge's status."""
    found = bridge.status(settings)
    assert found is not None
    return found


def test_start_returns_with_a_bridge_that_is_connected(settings: Settings) -> None:
    assert (status(settings)["ready"], status(settings)["running"]) == (True, True)


def test_started_twice_it_stays_as_it_is(settings: Settings) -> None:
    before = status(settings)["pid"]
    bridge.start(settings)
    assert status(settings)["pid"] == before


def test_killed_it_comes_back_by_itself(settings: Settings) -> None:
    before = status(settings)["pid"]
    os.kill(before, signal.SIGKILL)

    def back() -> bool:
        found = bridge.status(settings)
        return found is not None and found["pid"] != before and found["ready"]

    wait_until("the bridge to be back", back)


def test_other_code_replaces_it(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    before = status(settings)["pid"]
    monkeypatch.setattr(bridge, "code_version", lambda: "newer")
    bridge.start(settings)
    after = status(settings)
    assert (after["pid"] != before, after["code_version"]) == (True, "newer")


def test_other_settings_replace_it(settings: Settings) -> None:
    before = status(settings)["pid"]
    changed = settings.model_copy(
        update={"mqtt": settings.mqtt.model_copy(update={"keepalive_s": 31})}
    )
    bridge.start(changed)
    assert status(settings)["pid"] != before


def test_a_stopped_bridge_is_gone_until_it_is_started(settings: Settings) -> None:
    bridge.stop(settings)
    wait_until("the bridge to be gone", lambda: bridge.find(settings) is None)
    bridge.start(settings)
    assert status(settings)["ready"]


def test_a_broker_that_is_away_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    bridge.stop(settings)
    wait_until("the bridge to be gone", lambda: bridge.find(settings) is None)
    elsewhere = settings.model_copy(
        update={"mqtt": settings.mqtt.model_copy(update={"port": settings.serve.port})}
    )
    monkeypatch.setattr(bridge, "START_TIMEOUT_S", 8.0)
    with pytest.raises(UnavailableError, match=f"127.0.0.1:{settings.serve.port} is away"):
        bridge.start(elsewhere)
