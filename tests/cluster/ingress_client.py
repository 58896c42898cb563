"""nginx with an Ingress' directives, and clients whose addresses a load balancer tells it."""

import http.client
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from websockets.sync.client import ClientConnection, connect

from cluster.local.server import listening
from cluster.setup import tools
from tests.cluster.ingress_directives import Surroundings
from tests.integration.topic_reader import wait_until

_TIMEOUT_S = 20.0


class Answer(NamedTuple):
    """What the ingress answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Ingress:
    """A running nginx."""

    def __init__(self, around: Surroundings, authority: str) -> None:
        self._around = around
        # The names are not of this machine: the certificate is checked, the name is not.
        self._context = ssl.create_default_context(cafile=authority)
        self._context.check_hostname = False

    def connect(self, source: str, *, tls: bool = True) -> socket.socket:
        """Connect as a client of this address."""
        port = self._around.https if tls else self._around.http
        plain = socket.create_connection(("127.0.0.1", port), _TIMEOUT_S)
        plain.sendall(f"PROXY TCP4 {source} 127.0.0.1 40000 {port}\r\n".encode())
        return self._context.wrap_socket(plain) if tls else plain

    def client(self, host: str, source: str, *, tls: bool = True) -> http.client.HTTPConnection:
        """Return a connection that may ask again and again."""
        connection = http.client.HTTPConnection(host, timeout=_TIMEOUT_S)
        connection.sock = self.connect(source, tls=tls)
        return connection

    def ask(
        self,
        host: str,
        path: str,
        source: str,
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "GET",
        tls: bool = True,
    ) -> Answer:
        """Ask once."""
        connection = self.client(host, source, tls=tls)
        try:
            return ask(connection, path, headers, method)
        finally:
            connection.close()

    def websocket(
        self, host: str, path: str, source: str, headers: Mapping[str, str], **options: object
    ) -> ClientConnection:
        """Open a WebSocket."""
        # TLS is spoken below already, so the client speaks plainly.
        found: ClientConnection = connect(
            f"ws://{host}{path}",
            sock=self.connect(source),
            additional_headers=dict(headers),
            compression=None,
            max_size=None,
            proxy=None,
            **options,  # type: ignore[arg-type]
        )
        return found


def ask(
    connection: http.client.HTTPConnection,
    path: str,
    headers: Mapping[str, str] | None = None,
    method: str = "GET",
) -> Answer:
    """Ask over a connection that is open."""
    connection.request(method, path, headers=dict(headers or {}))
    response = connection.getresponse()
    return Answer(response.status, dict(response.getheaders()), response.read())


@contextmanager
def running(configuration: str, around: Surroundings, authority: str) -> Iterator[Ingress]:
    """Run nginx with this configuration."""
    file = around.folder / "nginx.conf"
    file.write_text(configuration)
    program = tools.nginx()
    process = subprocess.Popen(
        [program.path, "-e", "stderr", "-c", file],
        env=program.environment,
        stderr=sys.stderr,
    )
    try:
        wait_until(
            "nginx to listen",
            lambda: process.poll() is not None or listening(around.https),
            _TIMEOUT_S,
        )
        assert process.poll() is None, "nginx refused its configuration"
        yield Ingress(around, authority)
    finally:
        process.terminate()
        process.wait(_TIMEOUT_S)
