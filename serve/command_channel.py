"""The api's connection to the MQTT broker: commands go out, replies come in.

Every replica has one. They share one subscription of the replies, so that each is taken by one of
them, and acknowledge a reply once it is written down; what a replica that dies had not
acknowledged the broker gives to another.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from pipelines.errors import DataError, UnavailableError
from pipelines.mqtt_access import MqttUser, let_in
from pipelines.sensor_topic import REPLIES_SUBSCRIPTION, commands_topic, sensor_of_reply
from pipelines.settings import MqttSettings
from serve.device_commands import Reply, read_reply

log = logging.getLogger(__name__)

PUBACK_S: Final = 5.0
RECEIVE_MAXIMUM: Final = 64
"""Replies under way at once; the broker keeps the others."""
MOST_UNACKNOWLEDGED: Final = 1_000
"""Commands that the broker has not acknowledged; beyond it none is sent."""
_RETRY_MAX_S: Final = 10
_STORE_RETRY_S: Final = 1.0
_STORE_TRIES: Final = 60
_NO_SUBSCRIBER: Final = 0x10
_WARNING_EVERY_S: Final = 10.0

OnReply = Callable[[str, Reply, int], Awaitable[bool]]
"""Called with sensor, reply and when it came (us); says whether it answers an open command."""


class CommandChannel:
    """Call :meth:`start` in the event loop that ``on_reply`` belongs to, and :meth:`stop`."""

    def __init__(self, settings: MqttSettings, on_reply: OnReply) -> None:
        self._settings = settings
        self._on_reply = on_reply
        self._lock = threading.Lock()
        self._waiting: dict[int, asyncio.Future[ReasonCode]] = {}
        self._early: dict[int, ReasonCode] = {}
        """Acknowledgements that came before `publish` had returned."""
        # Bounded by the broker, which sends no more than RECEIVE_MAXIMUM unacknowledged.
        self._replies: asyncio.Queue[tuple[str, Reply, int, int, int]] = asyncio.Queue()
        self._writer: asyncio.Task[None] | None = None
        self._error = "it has not answered yet"
        self._warned_s = 0.0
        self._connected = False
        self._client = client = mqtt.Client(
            CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5, manual_ack=True
        )
        client.max_queued_messages_set(MOST_UNACKNOWLEDGED)
        client.reconnect_delay_set(1, _RETRY_MAX_S)
        client.on_connect = self._connected_to
        client.on_connect_fail = self._failed
        client.on_disconnect = self._disconnected
        client.on_publish = self._published
        client.on_message = self._received

    def start(self) -> None:
        """Connect in the background, again and again where the broker is away."""
        self._loop = asyncio.get_running_loop()
        let_in(self._client, self._settings, MqttUser.API)
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
        self._client.connect_async(
            self._settings.host, self._settings.port, properties=properties, clean_start=True
        )
        self._client.loop_start()
        self._writer = self._loop.create_task(self._write_down_all())

    async def stop(self) -> None:
        """Disconnect; replies under way go to another replica."""
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)
        if self._writer is not None:
            self._writer.cancel()

    async def send(self, sensor_id: str, message: bytes, expires_s: float) -> bool:
        """Send a command; return whether a device was subscribed for it.

        Raises:
            UnavailableError: the broker is away, does not acknowledge it, or refuses it.
        """
        where = f"the MQTT broker at {self._settings.host}:{self._settings.port}"
        if not self._connected:
            raise UnavailableError(f"{where} is away: {self._error}; the command is not sent")
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.MessageExpiryInterval = max(1, round(expires_s))
        answered: asyncio.Future[ReasonCode] = self._loop.create_future()
        sent = self._client.publish(
            commands_topic(sensor_id), message, qos=1, properties=properties
        )
        if sent.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise UnavailableError(f"{where} is away; the command is not sent")
        with self._lock:  # never while paho publishes: it holds a lock of its own then
            early = self._early.pop(sent.mid, None)
            if early is None:
                self._waiting[sent.mid] = answered
            else:
                answered.set_result(early)
        try:
            async with asyncio.timeout(PUBACK_S):
                reason = await answered
        except TimeoutError:
            raise UnavailableError(
                f"{where} did not acknowledge the command in {PUBACK_S:.0f} s; it may arrive yet"
            ) from None
        if reason.is_failure:
            raise UnavailableError(
                f"{where} refuses the command: {reason}; check the rights of mqtt.api_username"
            )
        return bool(reason.value != _NO_SUBSCRIBER)

    def _connected_to(self, client: mqtt.Client, *details: Any) -> None:
        reason = details[2]
        if reason.is_failure:
            self._error = str(reason)
            return
        self._connected = True
        client.subscribe(REPLIES_SUBSCRIPTION, qos=1)

    def _failed(self, *_: Any) -> None:
        self._error = "it takes no connection"

    def _disconnected(self, *details: Any) -> None:
        self._connected = False
        self._error = str(details[3])

    def _published(self, *details: Any) -> None:
        mid, reason = details[2], details[3]
        with self._lock:
            waiting = self._waiting.pop(mid, None)
            if waiting is None:
                self._early[mid] = reason
        if waiting is not None:
            self._loop.call_soon_threadsafe(_settle, waiting, reason)

    def _received(self, client: mqtt.Client, _: Any, message: mqtt.MQTTMessage) -> None:
        received_us = time.time_ns() // 1000
        sensor_id = sensor_of_reply(message.topic)
        try:
            if sensor_id is None:
                raise DataError("this is no topic of replies")
            reply = read_reply(bytes(message.payload))
        except DataError as error:
            self._warn(f"a reply on {message.topic!r} is left out: {error}")
            client.ack(message.mid, message.qos)
            return
        came = (sensor_id, reply, received_us, message.mid, message.qos)
        self._loop.call_soon_threadsafe(self._replies.put_nowait, came)

    async def _write_down_all(self) -> None:
        """Write replies down in the order they came: of two to one command the first counts."""
        while True:
            await self._write_down(*await self._replies.get())

    async def _write_down(
        self, sensor_id: str, reply: Reply, received_us: int, mid: int, qos: int
    ) -> None:
        for _ in range(_STORE_TRIES):
            try:
                if not await self._on_reply(sensor_id, reply, received_us):
                    self._warn(f"{sensor_id!r} answers no open command of its own")
                break
            except UnavailableError:
                await asyncio.sleep(_STORE_RETRY_S)
        self._client.ack(mid, qos)

    def _warn(self, text: str) -> None:
        """Say it, but a device that sends nothing else fills no log."""
        now_s = time.monotonic()
        if now_s - self._warned_s > _WARNING_EVERY_S:
            self._warned_s = now_s
            log.warning("%s", text)


def _settle(waiting: "asyncio.Future[ReasonCode]", reason: ReasonCode) -> None:
    if not waiting.done():
        waiting.set_result(reason)
