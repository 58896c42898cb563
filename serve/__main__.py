"""`python -m serve`: deploy `live`, `api` and `inference` on the running Ray.

It returns when all of them run. The models that come with imustream are put into the model store
first, where it has none of that name.

For a fast and bounded HTTP side start Ray with :mod:`serve.proxy_environment`.
"""

import logging
import socket
import sys

import ray
from ray import serve

from pipelines.errors import ImustreamError, UnavailableError
from pipelines.logs import configure_logging
from pipelines.models.serving_names import APPLICATION, ROUTE_PREFIX
from pipelines.models.shipped import ensure_shipped
from pipelines.models.store import open_store
from pipelines.settings import RaySettings, Settings, load_settings
from serve import api, live
from serve.edge.shared_counters import end_other_versions
from serve.inference.application import inference_application

_CONNECT_TIMEOUT_S = 5.0


def deploy(settings: Settings) -> None:
    """Deploy all applications; what runs already is replaced.

    Raises:
        UnavailableError: the model store does not answer, there is no Ray at ``ray.address``, or
            an application does not start.
    """
    ensure_shipped(open_store(settings))
    _join(settings.ray)
    end_other_versions(settings.ray)
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    serve.start(
        proxy_location="EveryNode",
        http_options={"host": settings.serve.host, "port": settings.serve.port},
        logging_config=_serve_logs(settings),
    )
    applications = (
        (inference_application(settings), APPLICATION, ROUTE_PREFIX),
        (live.live_application(settings), live.NAME, live.ROUTE_PREFIX),
        (api.api_application(settings), api.NAME, api.ROUTE_PREFIX),
    )
    logs = _serve_logs(settings)
    try:
        serve.run_many([serve.RunTarget(*each, logging_config=logs) for each in applications])
    except RuntimeError as error:
        raise UnavailableError(f"the Serve applications do not start: {error}") from None


def _serve_logs(settings: Settings) -> dict[str, str]:
    """What Serve's own loggers are told: the form that ours have."""
    return {"encoding": settings.logging.format.upper()}


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
        settings = load_settings()
        configure_logging(settings, "deploy-serve")
        deploy(settings)
    except ImustreamError as error:
        print(f"python -m serve: {error}", file=sys.stderr)
        sys.exit(2)
