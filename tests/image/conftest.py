"""The image of the Containerfile, built without a container engine by `make test-image`."""

from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what builds the image as long; reading the Containerfile is quick."""
    for item in items:
        if item.path == Path(__file__).with_name("test_image.py"):
            item.add_marker(pytest.mark.slow)
