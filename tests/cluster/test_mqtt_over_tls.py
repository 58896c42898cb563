"""The bridge and the simulator reach MQTT over TLS, each with a user of its own."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from actors.bridge_loop import BridgeLoop
from cluster.local.certificates import certificate_files, make_certificates
from cluster.local.mosquitto import tls_folder
from cluster.local.stack import Stack
from pipelines.admin import create_topics
from pipelines.errors import ImustreamError
from pipelines.settings import MqttSettings, Settings
from pipelines.topics import RAW
from simulator.fleet import Report, run
from simulator.options import FleetOptions
from tests.conftest import running_stack
from tests.integration.topic_reader import read_topic, wait_until

SENSORS = 20
SECONDS = 5


@pytest.fixture(scope="module")
def settings() -> Iterator[Settings]:
    """Settings that meet Mosquitto at a listener with TLS, as a broker elsewhere has it."""
    parts = ("kafka", "mosquitto")
    with running_stack(parts, local={"mqtt_anonymous": False}) as stack:
        create_topics(stack.settings.kafka)
        _let_users_have_several_sessions(stack)
        settings = stack.settings.model_copy(deep=True)
        settings.mqtt.port = settings.mqtt.tls_port
        settings.mqtt.tls_ca_file = certificate_files(tls_folder(stack.folder.path)).authority
        yield settings


def _let_users_have_several_sessions(stack: Stack) -> None:
    """Take away from the listener what makes it one for devices, of one session a user each."""
    config = stack.folder.path / "mosquitto" / "mosquitto.conf"
    config.write_text(config.read_text().replace("use_username_as_clientid true\n", ""))
    stack.kill("mosquitto")
    stack.wait_for("mosquitto")


def simulate(mqtt: MqttSettings) -> Report:
    """Publish a small fleet's frames."""
    return run(FleetOptions(sensors=SENSORS, seconds=SECONDS, sensor_prefix="tls"), mqtt)


def in_kafka(settings: Settings) -> int:
    """How many messages of devices are in Kafka."""
    records = read_topic(settings.kafka.bootstrap_servers, RAW)
    return sum(record.key() is not None for record in records)


def refused(settings: Settings, mqtt: MqttSettings) -> str:
    """Start a bridge and return why it does not connect."""
    loop = BridgeLoop(settings.model_copy(update={"mqtt": mqtt}), "test")
    thread = threading.Thread(target=loop.run)
    thread.start()
    try:
        wait_until("the bridge to be refused", lambda: loop.status()["error"] is not None, 20)
        return str(loop.status()["error"])
    finally:
        loop.stop()
        thread.join(30)


def test_every_message_of_a_fleet_is_carried(settings: Settings) -> None:
    loop = BridgeLoop(settings, "test")
    thread = threading.Thread(target=loop.run)
    thread.start()
    try:
        wait_until("the bridge to connect", lambda: loop.status()["ready"])
        sent = simulate(settings.mqtt)
        assert sent.messages["acknowledged"] == sent.messages["published"] > 0
        found: list[bytes] = []

        def all_there() -> bool:
            found[:] = [
                m.value() for m in read_topic(settings.kafka.bootstrap_servers, RAW) if m.key()
            ]
            return len(found) >= sent.messages["published"]

        wait_until("every message to be in Kafka", all_there)
        assert len(found) == sent.messages["published"]
    finally:
        loop.stop()
        thread.join(30)


def test_a_wrong_password_is_refused(settings: Settings) -> None:
    wrong = settings.mqtt.model_copy(update={"password": SecretStr("wrong")})
    assert "refused the bridge" in refused(settings, wrong)


def test_a_broker_of_another_authority_is_not_trusted(settings: Settings, tmp_path: Path) -> None:
    other = make_certificates(tmp_path / "tls", "127.0.0.1").authority
    wrong = settings.mqtt.model_copy(update={"tls_ca_file": other})
    assert "certificate" in refused(settings, wrong).lower()
    with pytest.raises(ImustreamError):
        simulate(wrong)


def test_a_broker_by_another_name_is_not_trusted(settings: Settings) -> None:
    # The address answers too, but stands in no certificate.
    wrong = settings.mqtt.model_copy(update={"host": "127.0.0.2"})
    assert refused(settings, wrong)
