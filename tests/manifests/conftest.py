"""Every test here runs over each overlay."""

from collections.abc import Mapping

import pytest

from tests.manifests.rendering import OVERLAYS, Object, render_all


@pytest.fixture(scope="session")
def rendered() -> Mapping[str, list[Object]]:
    """The objects of each overlay."""
    return render_all()


@pytest.fixture(params=OVERLAYS)
def objects(request: pytest.FixtureRequest, rendered: Mapping[str, list[Object]]) -> list[Object]:
    """The objects of one overlay."""
    return rendered[request.param]
