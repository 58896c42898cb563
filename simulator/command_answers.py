"""Simulated devices answer commands: `ping` and `identify`; others they do not know."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from pipelines.mqtt_access import MqttUser, let_in
from pipelines.sensor_topic import COMMANDS_SUBSCRIPTION, commands_topic, replies_topic
from pipelines.settings import MqttSettings

MOST_SUBSCRIPTIONS: Final = 50
"""A larger fleet subscribes to the commands of all devices, and answers those to its own."""
MOST_COMMAND_BYTES: Final = 65_536


def answer(
    sensor_id: str, payload: bytes, about: Mapping[str, Any], now_us: int
) -> dict[str, Any] | None:
    """Return a device's reply; None to what is no command, or comes too late."""
    try:
        command = json.loads(payload)
        id_, name, expires_us = command["id"], command["name"], command["expires_us"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if not isinstance(expires_us, int) or now_us > expires_us:
        return None
    if name == "ping":
        return {"id": id_, "ok": True, "result": {"received_us": now_us}}
    if name == "identify":
        return {"id": id_, "ok": True, "result": {"sensor_id": sensor_id, **about}}
    return {"id": id_, "ok": False, "result": {"error": f"unknown command {name!r}"}}


@contextmanager
def answering(
    sensor_ids: list[str], about: Mapping[str, Any], settings: MqttSettings
) -> Iterator[None]:
    """Answer the commands to these sensors while the block runs, on a connection of its own."""
    own = {commands_topic(sensor_id): sensor_id for sensor_id in sensor_ids}
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    let_in(client, settings, MqttUser.SIMULATOR)

    def connected(client: mqtt.Client, *_: Any) -> None:
        wanted = list(own) if len(own) <= MOST_SUBSCRIPTIONS else [COMMANDS_SUBSCRIPTION]
        client.subscribe([(topic, 1) for topic in wanted])

    def received(client: mqtt.Client, _: Any, message: mqtt.MQTTMessage) -> None:
        sensor_id = own.get(message.topic)
        if sensor_id is None or len(message.payload) > MOST_COMMAND_BYTES:
            return
        reply = answer(sensor_id, bytes(message.payload), about, time.time_ns() // 1000)
        if reply is not None:
            client.publish(replies_topic(sensor_id), json.dumps(reply), qos=1)

    client.on_connect = connected
    client.on_message = received
    client.connect_async(settings.host, settings.port)
    client.loop_start()
    try:
        yield
    finally:
        client.disconnect()
        client.loop_stop()
