"""`python -m serve`: deploy `live` and `api` on the running Ray, and return when both run.

For a fast and bounded HTTP side start Ray with :mod:`serve.proxy_environment`.
"""

import logging
import socket
import sys

import ray
from ray import serve

from pipelines.errors import ImustreamError, UnavailableError
from pipelines.settings import RaySettings, Settings, load_settings
from serve import api, live

_CONNECT_TIMEOUT_S = 5.0


def deploy(settings: Settings) -> None:
    """Deploy both applications; what runs already is replaced.

    Raises:
        UnavailableError: there is no Ray at ``ray.address``, or an application does not start.
    """
    _join(settings.ray)
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


def _join(settings: RaySettings) -> None:
    advice = "start it with `imustream up`, or set ray.address"
    host, _, port = settings.address.rpartition(":")
    if host and port.isdigit():
        # Ray itself goes on trying a port that nobody listens on for many minutes.
        try:
            socket.create_connection((host, int(port)), _CONNECT_TIMEOUT_S).close()
        except OSError as error:
            raise UnavailableError(
                f"no Ray at {settings.address} ({error.strerror or error}); {advice}"
            ) from None
    try:
        ray.init(
            address=settings.address,
            namespace=settings.namespace,
            logging_level=logging.ERROR,
            log_to_driver=False,
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UnavailableError(f"no Ray at {settings.address} ({reason}); {advice}") from None


if __name__ == "__main__":
    try:
        deploy(load_settings())
    except ImustreamError as error:
        print(f"python -m serve: {error}", file=sys.stderr)
        sys.exit(2)
