"""Ports: which are free, who holds one that is not, and settings with free ones."""

import contextlib
import secrets
import socket
from pathlib import Path
from typing import Any

import psutil

from cluster.local.server import Port, Server
from pipelines.errors import UnavailableError
from pipelines.settings import Settings, load_settings

_HOST = "127.0.0.1"
_BLOCK_TRIES = 200
_PRIVATE_PORTS = range(15_000, 32_000)
"""Below the ports that the kernel gives to outgoing connections, one of which could otherwise sit
on a server's port while that server restarts."""


def is_free(port: int) -> bool:
    """Whether a server could listen on this port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def holder(port: int) -> str | None:
    """The process that listens on a port, as far as this user may know it."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            address = connection.laddr
            if connection.status != psutil.CONN_LISTEN or not address or address.port != port:
                continue
            if connection.pid is None:
                return None
            return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return None


def require_free(server: Server, port: Port) -> None:
    """Refuse to start a server on a port that something else holds.

    Raises:
        UnavailableError: it is held; the message says by what and which setting to change.
    """
    if is_free(port.number):
        return
    by = holder(port.number) or "another process"
    raise UnavailableError(
        f"port {port.number}, which {server.title} needs, is held by {by}: "
        f"stop that, or choose another port with {port.setting}"
    )


def free_block(count: int) -> int:
    """The first of ``count`` neighbouring ports that are free now."""
    for _ in range(_BLOCK_TRIES):
        first = secrets.choice(_PRIVATE_PORTS)
        if all(is_free(first + k) for k in range(count)):
            return first
    raise UnavailableError(f"no {count} neighbouring free ports on {_HOST}: stop what uses them")


def settings_on_free_ports(state_dir: Path, **overrides: dict[str, Any]) -> Settings:
    """Settings of a private stack: its own folder and ports, for tests and trials.

    ``overrides`` replace single values of a section, as in ``local={"brokers": 3}``.
    """
    brokers = overrides.get("local", {}).get("brokers", 1)
    first = free_block(2 * brokers + 16)
    kafka, controller, others = first, first + brokers, first + 2 * brokers
    sections: dict[str, dict[str, Any]] = {
        "kafka": {"bootstrap_servers": f"{_HOST}:{kafka}"},
        "mqtt": {"port": others, "tls_port": others + 9, "websocket_port": others + 10},
        "mongo": {"uri": f"mongodb://{_HOST}:{others + 1}"},
        "serve": {"port": others + 2},
        "metrics": {"port": others + 11},
        "local": {
            "state_dir": state_dir,
            "kafka_controller_port": controller,
            "ray_port": others + 3,
            "dashboard_port": others + 4,
            "proxy_port": others + 5,
            "s3_port": others + 8,
            "prometheus_port": others + 12,
            "ray_metrics_port": others + 13,
        },
    }
    for section, values in overrides.items():
        sections.setdefault(section, {}).update(values)
    return load_settings(**sections)
