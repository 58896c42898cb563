"""Proofs of what the Kubernetes manifests claim, each on the real server it is about.

They run by `make test-cluster-parts`, not in `make test`.
"""

from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what stands in this folder as long."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.slow)
