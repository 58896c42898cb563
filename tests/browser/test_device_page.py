"""`/device` in a real browser: its motion reaches the broker, and commands reach it."""

import json
import threading
from collections.abc import Iterator

import paho.mqtt.client as mqtt
import pytest
from conftest import NODE_MODULES
from fastapi import FastAPI
from paho.mqtt.enums import CallbackAPIVersion
from playwright.sync_api import Page, expect
from synthetic_api import free_port, serving
from test_dashboard_accessibility import ALL_RULES, WIDTHS, violations

from cluster.device_credentials import DeviceCredentials
from cluster.local.stack import Stack
from pipelines.json_payload.forms import read_json
from pipelines.mqtt_access import MqttUser, let_in
from serve.device_page_routes import device_page_routes
from serve.pages import add_pages
from tests.conftest import running_stack

WAIT_S = 15.0
HERTZ = 60
MOVE = """([hertz, seconds]) => {
  let count = 0;
  const timer = setInterval(() => {
    window.dispatchEvent(new DeviceMotionEvent("devicemotion", {
      accelerationIncludingGravity: { x: 0, y: 4.903325, z: 9.80665 },
      rotationRate: { alpha: 90, beta: 0, gamma: -45 },
      interval: 1000 / hertz,
    }));
    if (++count >= hertz * seconds) clearInterval(timer);
  }, 1000 / hertz);
}"""


@pytest.fixture(scope="module")
def guarded() -> Iterator[Stack]:
    """A broker that asks for credentials."""
    assert (NODE_MODULES / "mqtt" / "dist" / "mqtt.esm.js").is_file(), "run `make setup`"
    with running_stack(("mosquitto",), local={"mqtt_anonymous": False}) as stack:
        yield stack


@pytest.fixture(scope="module")
def address(guarded: Stack) -> Iterator[str]:
    """The page, as the api serves it behind the gate."""
    app = FastAPI()
    app.include_router(device_page_routes(guarded.settings))
    add_pages(app)
    with serving(app, free_port()) as found:
        yield found.rstrip("/")


class Broker:
    """What comes to imu/+ and imu/+/replies, as the bridge and the api see it."""

    def __init__(self, stack: Stack) -> None:
        self.messages: list[tuple[str, bytes]] = []
        self._changed = threading.Condition()
        self._clients = []
        for user, topic in (
            (MqttUser.BRIDGE, "imu/+"),
            (MqttUser.API, "$share/imustream-api/imu/+/replies"),
        ):
            client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
            let_in(client, stack.settings.mqtt, user)
            client.on_message = lambda *d: self._take(d[2])
            client.connect("127.0.0.1", stack.settings.mqtt.port)
            client.subscribe(topic, qos=1)
            client.loop_start()
            self._clients.append(client)

    def _take(self, message: mqtt.MQTTMessage) -> None:
        with self._changed:
            self.messages.append((message.topic, bytes(message.payload)))
            self._changed.notify_all()

    def send(self, topic: str, message: object) -> None:
        """Publish as the api."""
        self._clients[1].publish(topic, json.dumps(message), qos=1).wait_for_publish(WAIT_S)

    def of(self, topic: str, count: int) -> list[bytes]:
        """Return the payloads of a topic once there are so many."""

        def found() -> list[bytes]:
            return [payload for name, payload in self.messages if name == topic]

        with self._changed:
            assert self._changed.wait_for(lambda: len(found()) >= count, WAIT_S)
            return found()

    def close(self) -> None:
        for client in self._clients:
            client.disconnect()
            client.loop_stop()


@pytest.fixture
def broker(guarded: Stack) -> Iterator[Broker]:
    """A look at the broker."""
    found = Broker(guarded)
    yield found
    found.close()


def start(page: Page, address: str, sensor: str, password: str) -> None:
    page.goto(f"{address}/device")
    page.get_by_label("Sensor id").fill(sensor)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Start").click()


def test_a_page_that_is_moved_is_a_sensor_and_answers_commands(
    page: Page, address: str, guarded: Stack, broker: Broker
) -> None:
    with DeviceCredentials(guarded.settings.mqtt) as credentials:
        password = credentials.add("my phone")
    start(page, address, "my phone", password)
    expect(page.locator("#connection-text")).to_have_text("Connected")
    page.evaluate(MOVE, [HERTZ, 2])
    payloads = broker.of("imu/my phone", 4)
    for payload in payloads:
        readings = read_json(payload)
        assert readings.form == "plain"
        acc, gyro = readings.acc.series[0].values[0], readings.gyro.series[0].values[0]
        assert acc.tolist() == pytest.approx([0, 0.5, 1], abs=1e-4)
        assert gyro.tolist() == pytest.approx([0, -0.7854, 1.5708], abs=1e-4)
    expect(page.locator("#acc")).to_have_text("0.00  0.50  1.00")
    expect(page.locator("#dropped")).to_have_text("0")

    now_us = page.evaluate("Date.now() * 1000")
    broker.send(
        "imu/my phone/commands",
        {"id": "c1", "name": "identify", "arguments": {}, "expires_us": now_us + 60_000_000},
    )
    (reply,) = map(json.loads, broker.of("imu/my phone/replies", 1))
    assert (reply["id"], reply["ok"], reply["result"]["kind"]) == ("c1", True, "browser")
    expect(page.locator("#commands li")).to_contain_text("identify")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#connection-text")).to_have_text("Stopped")


def test_a_wrong_password_and_a_device_without_sensors_are_said_so(
    page: Page, address: str
) -> None:
    start(page, address, "nobody", "wrong")
    expect(page.get_by_role("alert")).to_contain_text("does not let this sensor in")
    page.goto(f"{address}/device")
    page.get_by_label("Sensor id").fill("a/b")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("alert")).to_contain_text("no / + #")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_phone_and_is_accessible(page: Page, address: str, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    for width in ("phone", "small phone"):
        page.set_viewport_size(WIDTHS[width])
        page.goto(f"{address}/device")
        expect(page.get_by_role("button", name="Start")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert violations(page, ALL_RULES) == []
