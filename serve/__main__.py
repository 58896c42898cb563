"""`python -m serve [APPLICATION ...]`: deploy applications on the running Ray, by default all.

It returns when they run. The models that come with imustream are put into the model store first,
where it has none of that name. `python -m serve inference` is what a cluster needs that runs
pipelines and answers nobody else: it opens no port.

For a fast and bounded HTTP side start Ray with :mod:`serve.proxy_environment`.
"""

import argparse
import logging
import socket
import sys
from collections.abc import Sequence

import ray
from ray import serve

from pipelines.errors import ImustreamError, UnavailableError
from pipelines.logs import configure_logging
from pipelines.models.serving_names import APPLICATION
from pipelines.settings import RaySettings, Settings, load_settings
from serve.applications import BUILDERS, targets
from serve.edge.shared_counters import end_other_versions

_CONNECT_TIMEOUT_S = 5.0


def deploy(settings: Settings, names: Sequence[str] = tuple(BUILDERS)) -> None:
    """Deploy applications; what runs already under their names is replaced.

    Raises:
        UnavailableError: the model store does not answer, there is no Ray at ``ray.address``, or
            an application does not start.
    """
    logs = _serve_logs(settings)
    wanted = targets(settings, names, logs)
    _join(settings.ray)
    end_other_versions(settings.ray)
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    answers_http = set(names) != {APPLICATION}
    serve.start(
        proxy_location="EveryNode" if answers_http else "Disabled",
        http_options={"host": settings.serve.host, "port": settings.serve.port},
        logging_config=logs,
    )
    try:
        serve.run_many(wanted)
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


def main() -> int:
    """Deploy what the command line names. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m serve", description="Deploy on the running Ray."
    )
    parser.add_argument("application", nargs="*", metavar="APPLICATION")
    names = parser.parse_args().application or list(BUILDERS)
    if unknown := set(names) - set(BUILDERS):
        parser.error(
            f"no application {', '.join(sorted(unknown))}: there are {', '.join(BUILDERS)}"
        )
    try:
        settings = load_settings()
        configure_logging(settings, "deploy-serve")
        deploy(settings, names)
    except ImustreamError as error:
        print(f"python -m serve: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
