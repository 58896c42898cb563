"""`python -m serve`: deploy `live` and `api` on the running Ray, and return when both run.

For a fast and bounded HTTP side start Ray with :mod:`serve.proxy_environment`.
"""

import logging
import sys

import ray
from ray import serve

from pipelines.errors import ImustreamError, UnavailableError
from pipelines.settings import Settings, load_settings
from serve import api, live


def deploy(settings: Settings) -> None:
    """Deploy both applications; what runs already is replaced.

    Raises:
        UnavailableError: there is no Ray at ``ray.address``, or an application does not start.
    """
    try:
        ray.init(
            address=settings.ray.address,
            namespace=settings.ray.namespace,
            logging_level=logging.WARNING,
            log_to_driver=False,
            ignore_reinit_error=True,
        )
    except (ConnectionError, ValueError) as error:
        raise UnavailableError(
            f"no Ray at {settings.ray.address} ({error}); start it with `imustream up`, or set "
            "ray.address"
        ) from None
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    serve.start(
        proxy_location="EveryNode",
        http_options={"host": settings.serve.host, "port": settings.serve.port},
    )
    try:
        serve.run_many(
            [
                serve.RunTarget(live.live_application(settings), live.NAME, live.ROUTE_PREFIX),
                serve.RunTarget(api.api_application(settings), api.NAME, api.ROUTE_PREFIX),
            ]
        )
    except RuntimeError as error:
        raise UnavailableError(f"live and api do not start: {error}") from None


if __name__ == "__main__":
    try:
        deploy(load_settings())
    except ImustreamError as error:
        sys.exit(f"python -m serve: {error}")
