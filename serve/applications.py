"""The Serve applications by their names, and what a `RayService` imports to build each.

Its ``serveConfigV2`` says ``import_path: serve.applications:api``; Ray then calls :func:`api` on
the cluster, where the settings stand in the environment.
"""

from collections.abc import Callable, Mapping, Sequence

from ray import serve

from pipelines.models import serving_names
from pipelines.models.shipped import ensure_shipped
from pipelines.models.store import open_store
from pipelines.settings import Settings, load_settings
from serve import api as api_module
from serve import live as live_module
from serve.inference.application import inference_application

Builder = Callable[[Settings], serve.Application]


def _with_shipped_models(settings: Settings) -> serve.Application:
    """Put the models that come with imustream into a store that has none of their names first."""
    ensure_shipped(open_store(settings))
    return inference_application(settings)


BUILDERS: Mapping[str, tuple[Builder, str]] = {
    serving_names.APPLICATION: (_with_shipped_models, serving_names.ROUTE_PREFIX),
    live_module.NAME: (live_module.live_application, live_module.ROUTE_PREFIX),
    api_module.NAME: (api_module.api_application, api_module.ROUTE_PREFIX),
}
"""How each is built, and where it is mounted; in the order they start."""


def targets(
    settings: Settings, names: Sequence[str], logs: dict[str, str]
) -> list[serve.RunTarget]:
    """Return the named applications, built, in the order they start; ``logs`` is for Serve's."""
    return [
        serve.RunTarget(build(settings), name, prefix, logging_config=logs)
        for name, (build, prefix) in BUILDERS.items()
        if name in names
    ]


def inference(_: dict[str, str]) -> serve.Application:
    """Build `inference` from the environment's settings; Ray calls it."""
    return _with_shipped_models(load_settings())


def live(_: dict[str, str]) -> serve.Application:
    """Build `live` from the environment's settings; Ray calls it."""
    return live_module.live_application(load_settings())


def api(_: dict[str, str]) -> serve.Application:
    """Build `api` from the environment's settings; Ray calls it."""
    return api_module.api_application(load_settings())
