"""Devices at a broker that asks each for its credential: rights, commands, a page as a sensor."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from cluster.device_credentials import DeviceCredentials
from cluster.local.certificates import certificate_files
from cluster.local.mosquitto import tls_folder
from cluster.local.stack import Stack
from pipelines.errors import ConflictError, DataError, NotFoundError, UnavailableError
from pipelines.mqtt_access import MqttUser, let_in
from pipelines.settings import MqttSettings
from simulator.fleet import FleetOptions, run
from tests.conftest import running_stack

WAIT_S = 10.0
NOT_AUTHORIZED = 135
LET_ME_IN = json.dumps(
    {"commands": [{"command": "createClient", "username": "intruder", "password": "x"}]}
).encode()


@pytest.fixture(scope="module")
def guarded() -> Iterator[Stack]:
    """A broker that lets in only whom it knows."""
    with running_stack(("mosquitto",), local={"mqtt_anonymous": False}) as stack:
        yield stack


@pytest.fixture(scope="module")
def credentials(guarded: Stack) -> Iterator[DeviceCredentials]:
    """The administrator's connection to it."""
    with DeviceCredentials(guarded.settings.mqtt) as connection:
        yield connection


class Device:
    """A client of the tests, and what the broker said to it."""

    def __init__(self, **options: Any) -> None:
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5, **options)
        self.connected: list[int] = []
        self.disconnected: list[int] = []
        self.acknowledged: dict[int, int] = {}
        self.subscribed: dict[int, int] = {}
        self.messages: list[tuple[str, bytes]] = []
        self._changed = threading.Condition()
        self.client.on_connect = lambda *d: self._note(self.connected.append, d[3].value)
        self.client.on_disconnect = lambda *d: self._note(self.disconnected.append, d[3].value)
        self.client.on_publish = lambda *d: self._note(
            lambda code: self.acknowledged.update({d[2]: code}), d[3].value
        )
        self.client.on_subscribe = lambda *d: self._note(
            lambda code: self.subscribed.update({d[2]: code}), d[3][0].value
        )
        self.client.on_message = lambda *d: self._note(
            self.messages.append, (d[2].topic, d[2].payload)
        )

    def publish(self, topic: str, payload: bytes = b"x") -> int:
        """Publish and return the broker's reason code."""
        sent = self.client.publish(topic, payload, qos=1)
        self.wait(lambda: sent.mid in self.acknowledged)
        return self.acknowledged[sent.mid]

    def subscribe(self, topic: str) -> int:
        """Subscribe and return the broker's reason code."""
        _, mid = self.client.subscribe(topic, qos=1)
        assert mid is not None
        self.wait(lambda: mid in self.subscribed)
        return self.subscribed[mid]

    def wait(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, WAIT_S)

    def _note(self, take: Callable[[Any], Any], what: Any) -> None:
        with self._changed:
            take(what)
            self._changed.notify_all()


@contextmanager
def connected(
    port: int,
    username: str | None,
    password: str | None,
    *,
    ca: str | None = None,
    session_s: int = 0,
    **options: Any,
) -> Iterator[Device]:
    """A client that has the broker's answer to its connection."""
    device = Device(**options)
    if username is not None:
        device.client.username_pw_set(username, password)
    if ca is not None:
        device.client.tls_set(ca)
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = session_s
    device.client.connect("127.0.0.1", port, clean_start=session_s == 0, properties=properties)
    device.client.loop_start()
    try:
        device.wait(lambda: bool(device.connected))
        yield device
    finally:
        device.client.disconnect()
        device.client.loop_stop()


def internal(settings: MqttSettings, user: MqttUser) -> "Any":
    """One of our own programs at the broker."""
    device = Device()
    let_in(device.client, settings, user)
    device.client.connect(settings.host, settings.port)
    device.client.loop_start()
    device.wait(lambda: bool(device.connected))
    return device


def test_a_device_publishes_and_reads_as_itself_and_nothing_else(
    guarded: Stack, credentials: DeviceCredentials
) -> None:
    port = guarded.settings.mqtt.port
    own, other = "Φ wrist:1", "wrist2"
    password = credentials.add(own)
    credentials.add(other)
    with connected(port, own, password) as device:
        assert device.publish(f"imu/{own}") in (0, 16)
        assert device.publish(f"imu/{own}/replies") in (0, 16)
        assert device.subscribe(f"imu/{own}/commands") == 1
        for topic in (f"imu/{other}/commands", "imu/+", "#", "imu/+/replies", "$CONTROL/#"):
            assert device.subscribe(topic) == NOT_AUTHORIZED, topic
    for topic in (
        f"imu/{other}",
        f"imu/{other}/replies",
        f"imu/{own}/commands",
        "imustream/tick",
        "$CONTROL/dynamic-security/v1",
    ):
        # Mosquitto 2.0.11 refuses it and closes the connection too, so each has one of its own.
        with connected(port, own, password) as device:
            assert device.publish(topic, LET_ME_IN) == NOT_AUTHORIZED, topic
    assert "intruder" not in [found.sensor_id for found in credentials.devices()]


def test_nobody_gets_in_without_the_right_password(
    guarded: Stack, credentials: DeviceCredentials
) -> None:
    credentials.add("locked")
    for username, password in ((None, None), ("locked", "wrong"), ("locked", None), ("?", "x")):
        with connected(guarded.settings.mqtt.port, username, password) as device:
            assert device.connected == [NOT_AUTHORIZED]


def test_a_revoked_device_is_cut_off_and_a_new_password_ends_the_old(
    guarded: Stack, credentials: DeviceCredentials
) -> None:
    port = guarded.settings.mqtt.port
    password = credentials.add("leaver")
    with connected(port, "leaver", password) as device:
        rotated = credentials.rotate("leaver")
        device.wait(lambda: bool(device.disconnected))
    with connected(port, "leaver", password) as device:
        assert device.connected == [NOT_AUTHORIZED]
    with connected(port, "leaver", rotated) as device:
        assert device.connected == [0]
        credentials.revoke("leaver")
        device.wait(lambda: bool(device.disconnected))
    with connected(port, "leaver", rotated) as device:
        assert device.connected == [NOT_AUTHORIZED]
    with pytest.raises(NotFoundError, match="leaver"):
        credentials.rotate("leaver")


def test_names_that_can_be_no_device_are_refused(credentials: DeviceCredentials) -> None:
    credentials.add("once")
    with pytest.raises(ConflictError, match="rotate"):
        credentials.add("once")
    for name in ("a/b", "#", "", "imustream-bridge", "x" * 65):
        with pytest.raises(DataError):
            credentials.add(name)
    assert "once" in [device.sensor_id for device in credentials.devices()]
    assert not any(d.sensor_id.startswith("imustream-") for d in credentials.devices())


def test_devices_connect_by_tls_and_by_websockets_under_their_own_name(
    guarded: Stack, credentials: DeviceCredentials
) -> None:
    settings = guarded.settings.mqtt
    password = credentials.add("phone")
    authority = str(certificate_files(tls_folder(guarded.folder.path)).authority)
    with ExitStack() as stack:
        secure = stack.enter_context(
            connected(settings.tls_port, "phone", password, ca=authority, client_id="stolen")
        )
        assert secure.publish("imu/phone") in (0, 16)
        # It is the client `phone`, whatever it calls itself: the next one takes its place.
        page = stack.enter_context(
            connected(settings.websocket_port, "phone", password, transport="websockets")
        )
        assert page.publish("imu/phone") in (0, 16)
        secure.wait(lambda: bool(secure.disconnected))


def test_a_message_larger_than_the_broker_takes_is_refused(
    guarded: Stack, credentials: DeviceCredentials
) -> None:
    password = credentials.add("large")
    with connected(guarded.settings.mqtt.port, "large", password) as device:
        device.client.publish("imu/large", bytes(1_100_000), qos=1)
        device.wait(lambda: bool(device.disconnected))


def test_devices_outlive_the_broker_and_our_own_users_still_have_their_rights(
    guarded: Stack, credentials: DeviceCredentials
) -> None:
    password = credentials.add("steady")
    guarded.stop("mosquitto")
    guarded.up()
    with connected(guarded.settings.mqtt.port, "steady", password) as device:
        assert device.connected == [0]
    bridge = internal(guarded.settings.mqtt, MqttUser.BRIDGE)
    assert bridge.subscribe("imu/+") == bridge.subscribe("imustream/tick") == 1
    assert bridge.publish("imustream/tick") == 0
    assert bridge.publish("imu/steady") == NOT_AUTHORIZED
    bridge.client.disconnect()
    bridge.client.loop_stop()


def test_a_simulated_fleet_is_let_in_and_a_wrong_password_is_one_clear_message(
    guarded: Stack,
) -> None:
    options = FleetOptions(sensors=2, rate_hz=200.0, seconds=0.5, sensor_prefix="fleet")
    report = run(options, guarded.settings.mqtt)
    assert report.messages["acknowledged"] == report.messages["published"] > 0
    wrong = guarded.settings.mqtt.model_copy(
        update={"simulator_username": "locked", "simulator_password": None}
    )
    with pytest.raises(UnavailableError, match=r"refuses the connection: Not authorized.*user"):
        run(options, wrong)
    as_bridge = guarded.settings.mqtt.model_copy(
        update={
            "simulator_username": guarded.settings.mqtt.username,
            "simulator_password": guarded.settings.mqtt.password,
        }
    )
    with pytest.raises(UnavailableError, match="refuses a message: Not authorized"):
        run(options, as_bridge)


def test_secrets_are_readable_by_this_user_only(guarded: Stack) -> None:
    folder = guarded.folder.path
    private = [
        *folder.glob("*.secret"),
        folder / "stack.json",
        folder / "mosquitto" / "dynamic-security.json",
        *(folder / "mosquitto" / "tls").glob("*.key"),
    ]
    assert len(private) >= 8
    for file in private:
        assert file.stat().st_mode & 0o077 == 0, file
    for log in folder.rglob("*.log"):
        for secret in folder.glob("mqtt-*.secret"):
            assert secret.read_text() not in log.read_text(errors="replace")
