"""Publish with QoS 1 over MQTT 5 from one thread, in bursts, and wait for every PUBACK.

paho's own loop wakes up for each message; here its reads and writes are driven by
:meth:`Publisher.pump`, so that a burst of messages costs one wake-up.
"""

import selectors
import time
from collections import deque
from collections.abc import Sequence

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from pipelines.errors import UnavailableError
from pipelines.mqtt_access import MqttUser, let_in
from pipelines.settings import MqttSettings
from simulator.burst_client import BurstClient

KEEPALIVE_S = 30
SESSION_EXPIRY_S = 3_600
MAX_UNACKNOWLEDGED = 10_000
"""Messages of a connection that the broker has not acknowledged; further ones wait here."""
MAX_WAITING = 100_000
"""Messages of all connections that wait; beyond it the fleet stands still."""
BROKER_DEADLINE_S = 60.0
"""How long the broker may be away, or acknowledge nothing, before the fleet gives up."""
_RECONNECT_S = 0.25
_HOUSEKEEPING_S = 0.5


class Connection:
    """One MQTT connection: messages go out in order; those without PUBACK go again."""

    def __init__(
        self, client_id: str, settings: MqttSettings, selector: selectors.BaseSelector
    ) -> None:
        self.acknowledged = 0
        self.unacknowledged = 0
        self.waiting: deque[tuple[str, bytes]] = deque()
        self.refused: str | None = None
        self._window = MAX_UNACKNOWLEDGED
        self._ready = False
        self._retry_at = 0.0
        self._housekeeping_at = 0.0
        self._settings = settings
        self._selector = selector
        self._client = client = BurstClient(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=mqtt.MQTTv5,
            reconnect_on_failure=False,
        )
        client.max_inflight_messages_set(0)
        client.max_queued_messages_set(0)
        let_in(client, settings, MqttUser.SIMULATOR)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_socket_open = self._on_socket_open
        client.on_socket_close = self._on_socket_close
        # With a callback here, publish() leaves the writing to loop_write().
        client.on_socket_register_write = lambda client, userdata, sock: None

    @property
    def room(self) -> int:
        """How many messages may be published at once."""
        return self._window - self.unacknowledged if self._ready else 0

    @property
    def idle(self) -> bool:
        """Whether everything given to it is acknowledged."""
        return not self.waiting and self.unacknowledged == 0

    def open(self) -> None:
        """Connect for the first time.

        Raises:
            UnavailableError: nobody listens there.
        """
        properties = _session_expiry(PacketTypes.CONNECT, SESSION_EXPIRY_S)
        try:
            self._client.connect(
                self._settings.host,
                self._settings.port,
                keepalive=KEEPALIVE_S,
                clean_start=False,
                properties=properties,
            )
        except OSError as error:
            raise _away(self._settings, error) from None

    def send(self) -> None:
        """Hand over what waits, as far as there is room, in one burst."""
        for _ in range(min(self.room, len(self.waiting))):
            topic, payload = self.waiting.popleft()
            self._client.publish(topic, payload, qos=1)
            self.unacknowledged += 1

    def write(self) -> None:
        """Write what was handed over, without waiting; reconnect where the connection broke."""
        if self._client.socket() is None:
            self._reconnect()
        elif self._client.want_write():
            self._client.loop_write()

    def read(self) -> None:
        """Take in what the broker sent, without waiting."""
        self._client.loop_read()
        while self._client.buffered and self._client.socket() is not None:
            self._client.loop_read()

    def keep_alive(self, now: float) -> None:
        """Now and then, let paho ping the broker and notice that it does not answer."""
        if now >= self._housekeeping_at:
            self._housekeeping_at = now + _HOUSEKEEPING_S
            self._client.loop_misc()

    def close(self) -> None:
        """Disconnect and end the session."""
        if self._client.socket() is not None:
            self._client.gathering = False
            self._client.disconnect(properties=_session_expiry(PacketTypes.DISCONNECT, 0))
            self._client.loop_write()

    def _reconnect(self) -> None:
        self._ready = False
        if time.monotonic() < self._retry_at:
            return
        try:
            self._client.reconnect()
        except OSError:
            self._retry_at = time.monotonic() + _RECONNECT_S

    def _on_socket_open(self, client: mqtt.Client, userdata: object, sock: object) -> None:
        self._client.forget()
        self._selector.register(sock, selectors.EVENT_READ, self)  # type: ignore[arg-type]

    def _on_socket_close(self, client: mqtt.Client, userdata: object, sock: object) -> None:
        self._selector.unregister(sock)  # type: ignore[arg-type]

    def _on_connect(
        self,
        client: mqtt.Client,
        userdata: object,
        flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self.refused = f"the connection: {reason}"
            return
        # The broker may ask for fewer; the messages that paho sends again are within it.
        allowed = getattr(properties, "ReceiveMaximum", MAX_UNACKNOWLEDGED)
        self._window = min(MAX_UNACKNOWLEDGED, allowed)
        self._ready = True

    def _on_disconnect(self, client: mqtt.Client, *details: object) -> None:
        self._ready = False
        self._retry_at = time.monotonic() + _RECONNECT_S

    def _on_publish(
        self,
        client: mqtt.Client,
        userdata: object,
        mid: int,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        self.acknowledged += 1
        self.unacknowledged -= 1
        if reason.is_failure:
            self.refused = f"a message: {reason}"


class Publisher:
    """The connections of a fleet. Call :meth:`pump` every few milliseconds."""

    def __init__(self, client_ids: Sequence[str], settings: MqttSettings) -> None:
        self._settings = settings
        self._selector = selectors.DefaultSelector()
        self._connections = [
            Connection(client_id, settings, self._selector) for client_id in client_ids
        ]
        self._acknowledged = 0
        self._progress_at = time.monotonic()

    @property
    def acknowledged(self) -> int:
        """How many messages the broker has acknowledged."""
        return sum(connection.acknowledged for connection in self._connections)

    @property
    def idle(self) -> bool:
        """Whether every message given to it is acknowledged."""
        return all(connection.idle for connection in self._connections)

    @property
    def full(self) -> bool:
        """Whether as many messages wait as may wait."""
        return sum(len(c.waiting) for c in self._connections) >= MAX_WAITING

    def open(self) -> None:
        """Connect.

        Raises:
            UnavailableError: the broker is away or refuses.
        """
        for connection in self._connections:
            connection.open()
        while not all(connection.room for connection in self._connections):
            self.pump()
            time.sleep(0.002)

    def put(self, sensor: int, topic: str, payload: bytes) -> None:
        """Take a message; a sensor's messages always go through the same connection, in order."""
        self._connections[sensor % len(self._connections)].waiting.append((topic, payload))

    def pump(self) -> None:
        """Send what there is room for and take in what came, without waiting.

        Raises:
            UnavailableError: the broker refuses, or has been away for too long.
        """
        for key, _ in self._selector.select(0):
            key.data.read()
        now = time.monotonic()
        for connection in self._connections:
            if connection.waiting:
                connection.send()
            connection.write()
            connection.keep_alive(now)
            if connection.refused is not None:
                raise UnavailableError(
                    f"the MQTT broker at {self._settings.host}:{self._settings.port} refuses "
                    f"{connection.refused}; check the user and its rights (settings "
                    f"mqtt.simulator_username and _password, or mqtt.username and password)"
                )
        self._check_progress(now)

    def drain(self) -> None:
        """Wait until every message is acknowledged.

        Raises:
            UnavailableError: the broker acknowledges nothing for too long.
        """
        while not self.idle:
            self.pump()
            time.sleep(0.002)

    def close(self) -> None:
        """Disconnect and end the sessions."""
        for connection in self._connections:
            connection.close()
        self._selector.close()

    def _check_progress(self, now: float) -> None:
        acknowledged = self.acknowledged
        connected = all(connection.room for connection in self._connections)
        if acknowledged > self._acknowledged or (connected and self.idle):
            self._acknowledged, self._progress_at = acknowledged, now
        elif now - self._progress_at > BROKER_DEADLINE_S:
            waiting = sum(len(c.waiting) + c.unacknowledged for c in self._connections)
            raise UnavailableError(
                f"the MQTT broker at {self._settings.host}:{self._settings.port} has "
                f"acknowledged nothing for {BROKER_DEADLINE_S:.0f} s; {waiting} messages are "
                "without PUBACK; look at its log, then start again"
            )


def _away(settings: MqttSettings, error: OSError) -> UnavailableError:
    reason = error.strerror or str(error)
    return UnavailableError(
        f"no MQTT broker at {settings.host}:{settings.port} ({reason}); "
        "start it (`imustream up`) or correct the settings mqtt.host and mqtt.port"
    )


def _session_expiry(packet: int, seconds: int) -> Properties:
    properties = Properties(packet)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = seconds
    return properties
