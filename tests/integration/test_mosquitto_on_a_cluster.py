"""The broker as a cluster has it: configuration, users, and a certificate that is renewed."""

import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as mqtt
import psutil
import pytest
from cryptography import x509
from paho.mqtt.enums import CallbackAPIVersion
from pydantic import SecretStr

from cluster.local.certificates import CertificateFiles, make_certificates
from cluster.local.ports import free_block
from cluster.mosquitto_certificate import Watch, hang_up
from cluster.mosquitto_users import write_users
from cluster.setup import tools
from cluster.setup.paths import ROOT
from pipelines.errors import ConfigurationError
from pipelines.settings import MqttSettings

_CONFIGURATION = ROOT / "cluster" / "kubernetes" / "base" / "mosquitto" / "mosquitto.conf"
_WAIT_S = 20.0
_USERS = MqttSettings(
    username="bridge",
    password=SecretStr("bridge's"),
    api_username="api",
    api_password=SecretStr("api's"),
    admin_username="admin",
    admin_password=SecretStr("admin's"),
)


@dataclass(frozen=True)
class Broker:
    """A running one: its first port (the others follow), and where its files lie."""

    process: psutil.Process
    port: int
    folder: Path
    tls: CertificateFiles


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Mosquitto with the cluster's configuration, at other ports and places."""
    folder = tmp_path_factory.mktemp("mosquitto")
    tls = make_certificates(folder / "tls", "127.0.0.1")
    port = free_block(3)
    text = _CONFIGURATION.read_text()
    for was, now in {
        "/usr/lib/mosquitto_dynamic_security.so": str(tools.mosquitto_security_plugin()),
        "/mosquitto/data/": f"{folder}/",
        "/run/secrets/mosquitto-tls/tls.crt": str(tls.certificate),
        "/run/secrets/mosquitto-tls/tls.key": str(tls.key),
        "listener 1883": f"user root\nlistener {port} 127.0.0.1",
        "listener 8883": f"listener {port + 1} 127.0.0.1",
        "listener 9001": f"listener {port + 2} lo",
    }.items():
        assert was in text
        text = text.replace(was, now)
    (folder / "mosquitto.conf").write_text(text)
    write_users(_USERS, folder / "dynamic-security.json")
    program = tools.mosquitto()
    process = subprocess.Popen(
        [program.path, "-c", folder / "mosquitto.conf"], env=program.environment or None
    )
    try:
        _await(lambda: _connects(port, "bridge", "bridge's"))
        yield Broker(psutil.Process(process.pid), port, folder, tls)
    finally:
        process.terminate()
        process.wait(_WAIT_S)


def _await(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _WAIT_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _connects(port: int, user: str, password: str) -> bool:
    answers: list[bool] = []
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.username_pw_set(user, password)
    client.on_connect = lambda *given: answers.append(not given[3].is_failure)
    try:
        client.connect("127.0.0.1", port)
    except OSError:
        return False
    deadline = time.monotonic() + _WAIT_S
    while not answers and time.monotonic() < deadline:
        client.loop(0.05)
    client.disconnect()
    return answers == [True]


def test_our_users_are_let_in_and_nobody_else(broker: Broker) -> None:
    assert _connects(broker.port, "api", "api's")
    assert _connects(broker.port, "admin", "admin's")
    assert not _connects(broker.port, "api", "bridge's")
    assert not _connects(broker.port, "monitor", "")


def test_what_devices_there_are_survives_that_the_users_are_written_anew(tmp_path: Path) -> None:
    file = tmp_path / "dynamic-security.json"
    write_users(_USERS, file)
    device = '{"username": "shoe-1", "roles": []}'
    file.write_text(file.read_text().replace('"clients": [', f'"clients": [{device}, '))
    write_users(_USERS, file)
    written = file.read_text()
    assert "shoe-1" in written
    assert written.count('"username": "bridge"') == 1
    assert "bridge's" not in written
    assert file.stat().st_mode & 0o077 == 0


def test_a_user_without_a_password_is_an_error(tmp_path: Path) -> None:
    nobody = MqttSettings(username="bridge")
    with pytest.raises(ConfigurationError, match="IMUSTREAM_MQTT__PASSWORD_FILE"):
        write_users(nobody, tmp_path / "file.json")
    with pytest.raises(ConfigurationError, match="nobody could use the broker"):
        write_users(MqttSettings(), tmp_path / "file.json")
    (tmp_path / "other.json").write_text("[1]")
    with pytest.raises(ConfigurationError, match="not a file of Mosquitto's"):
        write_users(_USERS, tmp_path / "other.json")


def test_a_renewed_certificate_is_shown_and_no_connection_is_lost(broker: Broker) -> None:
    watch = Watch(broker.tls.certificate, lambda: hang_up([broker.process]))
    before = _shown(broker)
    watch.look()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    lost: list[object] = []
    client.on_disconnect = lambda *given: lost.append(given)
    client.username_pw_set("bridge", "bridge's")
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    _await(client.is_connected)
    broker.tls.certificate.unlink()
    make_certificates(broker.tls.certificate.parent, "127.0.0.1")
    watch.look()
    _await(lambda: _shown(broker) != before)
    assert client.is_connected() and not lost
    client.loop_stop()
    client.disconnect()


def _shown(broker: Broker) -> int:
    pem = ssl.get_server_certificate(("127.0.0.1", broker.port + 1))
    return x509.load_pem_x509_certificate(pem.encode()).serial_number
