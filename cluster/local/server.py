"""What the stack needs to know of a server to run it."""

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

CONNECT_TIMEOUT_S = 0.5

Progress = Callable[[str, str], None]
"""Called with a server's title and what is happening to it."""


@dataclass(frozen=True)
class Port:
    """A TCP port on 127.0.0.1, and the setting that changes it."""

    number: int
    setting: str


@dataclass(frozen=True)
class Server:
    """One supervised process.

    ``prepare`` writes its configuration before it starts. ``awaited`` returns None once the
    server serves, and until then says what is missing.
    """

    name: str
    title: str
    command: list[str]
    prepare: Callable[[], None]
    awaited: Callable[[], str | None]
    settle: Callable[[], None] = lambda: None
    ports: tuple[Port, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    folder: Path | None = None
    stop_wait_s: int = 15
    start_wait_s: int = 300


def listening(port: int) -> bool:
    """Whether something accepts connections on this port of 127.0.0.1."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=CONNECT_TIMEOUT_S):
            return True
    except OSError:
        return False


def awaited_port(port: int) -> str | None:
    """What is missing while a port does not accept connections."""
    return None if listening(port) else f"port {port} to accept connections"
