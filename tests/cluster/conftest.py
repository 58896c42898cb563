"""Proofs of what the Kubernetes manifests claim, each on the real server it is about.

They run by `make test-cluster-parts`, not in `make test`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.kafka_users import MANIFESTS, users_of
from tests.cluster.secured_stack import SecuredStack, secured_stack
from tests.conftest import QUICK_TO_REFUSE


@pytest.fixture(scope="session")
def secured() -> Iterator[SecuredStack]:
    """Everything, with the KafkaUsers' rights, behind a proxy on this machine that is believed."""
    with secured_stack(
        users_of(MANIFESTS / "base" / "kafka" / "users.yaml"),
        ("kafka", "mosquitto", "documentdb", "ray"),
        archive={"max_staleness_s": 1.0},
        serve={**QUICK_TO_REFUSE, "trusted_proxies": ["127.0.0.1"]},
        local={"mqtt_anonymous": False},
    ) as secured:
        secured.run("processors", "actors", bridge="bridge")
        secured.run("api", "serve")
        yield secured


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what stands in this folder as long."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.slow)
