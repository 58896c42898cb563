"""The ingress' rules, on a real nginx before the real api, live, Ray dashboard and Mosquitto."""

import base64
import json
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest
import yaml

from cluster.chaos.load import load
from cluster.local.certificates import make_certificates
from cluster.local.ports import free_block
from cluster.setup.paths import KUSTOMIZE
from tests.cluster.ingress_client import Ingress, ask, running
from tests.cluster.ingress_directives import Surroundings, configuration
from tests.cluster.kafka_users import MANIFESTS
from tests.cluster.secured_stack import SecuredStack
from tests.integration.serve_clients import bearer

API, ADMIN = "api.streaming-poc.local", "admin.streaming-poc.local"
INSIDE, OUTSIDE = "10.1.2.3", "203.0.113.7"
USER, PASSWORD = "operator", "correct horse"
RATE, BURST = 50, 200
"""Requests a second from one address, and how many at once: as the manifests have it."""

_addresses = count(10)


@pytest.fixture(scope="module")
def ingress(secured: SecuredStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ingress]:
    """nginx as the overlay `production` wants it."""
    folder = tmp_path_factory.mktemp("nginx")
    rendered = subprocess.run(
        [KUSTOMIZE, MANIFESTS / "overlays" / "production"],
        capture_output=True,
        check=True,
    ).stdout
    manifests = [each for each in yaml.safe_load_all(rendered) if each]
    certificates = make_certificates(folder / "tls", API)
    passwords = folder / "passwords"
    passwords.write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n")
    settings = secured.stack.settings
    nobody = f"127.0.0.1:{free_block(1)}"
    first = free_block(2)
    around = Surroundings(
        endpoints={
            ("fastapi-service", 8000): f"127.0.0.1:{settings.serve.port}",
            ("processors-head-svc", 8265): f"127.0.0.1:{settings.local.dashboard_port}",
            ("mosquitto-service", 9001): f"127.0.0.1:{settings.mqtt.websocket_port}",
            # Programs that are not here.
            ("kafka-ui", 8080): nobody,
            ("grafana", 3000): nobody,
            ("mqtt-ui-service", 5721): nobody,
        },
        http=first,
        https=first + 1,
        certificate=certificates.certificate,
        key=certificates.key,
        passwords=passwords,
        folder=folder,
    )
    with running(configuration(manifests, around), around, str(certificates.authority)) as nginx:
        yield nginx


@pytest.fixture
def client() -> str:
    """An address outside that no other test has asked from."""
    return f"203.0.113.{next(_addresses)}"


def password(user: str = USER, word: str = PASSWORD) -> dict[str, str]:
    """The header of a log-in."""
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{word}'.encode()).decode()}"}


@pytest.mark.parametrize("host", [API, ADMIN])
def test_who_comes_without_tls_is_sent_to_tls(ingress: Ingress, host: str) -> None:
    source = INSIDE if host == ADMIN else OUTSIDE
    answer = ingress.ask(host, "/ray/?a=1", source, password(), tls=False)
    assert answer.status == 301
    assert answer.headers["Location"].startswith(f"https://{host}:")
    assert answer.headers["Location"].endswith("/ray/?a=1")


def test_the_api_answers_the_world_and_asks_who_it_is(
    ingress: Ingress, secured: SecuredStack, client: str
) -> None:
    assert ingress.ask(API, "/health/live", client).status == 200
    assert ingress.ask(API, "/api/v1/sensors", client).status == 401
    answer = ingress.ask(API, "/api/v1/sensors", client, bearer(secured.stack.settings))
    assert answer.status == 200
    assert "max-age=31536000" in answer.headers["Strict-Transport-Security"]


def test_the_api_knows_the_address_of_who_asks(
    ingress: Ingress, secured: SecuredStack, client: str
) -> None:
    who = bearer(secured.stack.settings)
    path = "/api/v1/pipelines/archive/resume"
    assert ingress.ask(API, path, client, who, method="POST").status == 202
    assert client.encode() in ingress.ask(API, "/api/v1/audit", client, who).body


def test_live_streams_come_through(
    ingress: Ingress, secured: SecuredStack, client: str, tmp_path: Path
) -> None:
    who = bearer(secured.stack.settings)
    with (
        load(secured.stack, "w", tmp_path),
        ingress.websocket(API, "/ws/transformed/w-1", client, who) as live,
    ):
        message = json.loads(live.recv(timeout=20))
        assert message["columns"]["timestamp_us"]


def test_one_address_is_bounded_and_no_other_suffers(ingress: Ingress, client: str) -> None:
    connections = [ingress.client(API, client) for _ in range(8)]
    began = time.monotonic()
    with ThreadPoolExecutor(len(connections)) as pool:
        answered = list(
            pool.map(
                lambda connection: [ask(connection, "/health/live").status for _ in range(75)],
                connections,
            )
        )
    seconds = time.monotonic() - began
    statuses = [status for of_connection in answered for status in of_connection]
    assert set(statuses) == {200, 429}
    assert BURST <= statuses.count(200) <= BURST + 1 + RATE * seconds
    assert ingress.ask(API, "/health/live", OUTSIDE).status == 200


def test_a_body_that_is_too_large_is_not_taken_in(ingress: Ingress, client: str) -> None:
    size = {"Content-Length": str(65 * 1024 * 1024)}
    assert ingress.ask(API, "/v2/models/velocity/infer", client, size, method="POST").status == 413


@pytest.mark.parametrize("path", ["/", "/ray/", "/kafka-ui", "/grafana", "/mqtt", "/other"])
@pytest.mark.parametrize("with_password", [True, False])
def test_the_admin_host_is_closed_to_the_world(
    ingress: Ingress, client: str, path: str, with_password: bool
) -> None:
    headers = password() if with_password else {}
    assert ingress.ask(ADMIN, path, client, headers).status == 403


@pytest.mark.parametrize("path", ["/", "/ray/", "/kafka-ui", "/grafana", "/mqtt", "/other"])
def test_the_admin_host_asks_those_inside_for_a_password(ingress: Ingress, path: str) -> None:
    assert ingress.ask(ADMIN, path, INSIDE).status == 401
    assert ingress.ask(ADMIN, path, INSIDE, password(word="wrong")).status == 401


def test_a_header_that_claims_to_be_inside_does_not_help(ingress: Ingress, client: str) -> None:
    claim = {"X-Forwarded-For": INSIDE, "X-Real-IP": INSIDE, "Forwarded": f"for={INSIDE}"}
    assert ingress.ask(ADMIN, "/ray/", client, {**password(), **claim}).status == 403


def test_those_inside_reach_what_is_there(ingress: Ingress) -> None:
    assert b"Ray Dashboard" in ingress.ask(ADMIN, "/ray/", INSIDE, password()).body
    assert ingress.ask(ADMIN, "/ray/api/version", INSIDE, password()).status == 200
    # It is not here; it would be asked.
    assert ingress.ask(ADMIN, "/kafka-ui", INSIDE, password()).status == 502


def test_mqtt_comes_through_as_a_websocket(ingress: Ingress) -> None:
    with ingress.websocket(ADMIN, "/mqtt", INSIDE, password(), subprotocols=["mqtt"]) as connection:
        # CONNECT of MQTT 5 without a user: refused (0x87 is not authorised), and by Mosquitto.
        connection.send(bytes([0x10, 13, 0, 4, *b"MQTT", 5, 2, 0, 60, 0, 0, 0]))
        answer = connection.recv(timeout=10)
        assert isinstance(answer, bytes)
        assert (answer[0], answer[3]) == (0x20, 0x87)
