"""Publish with QoS 1 over MQTT 5 from one thread, in bursts, and wait for every PUBACK.

paho's own loop wakes up for each message; here its socket calls are driven by
:meth:`Publisher.pump`, so that a burst of messages costs one wake-up.
"""

import ssl
import time
from collections import deque
from collections.abc import Sequence

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from pipelines.errors import ConfigurationError, UnavailableError
from pipelines.settings import MqttSettings

KEEPALIVE_S = 30
SESSION_EXPIRY_S = 3_600
MAX_UNACKNOWLEDGED = 10_000
"""Messages of a connection that the broker has not acknowledged; further ones wait here."""
MAX_WAITING = 100_000
"""Messages of all connections that wait; beyond it the fleet stands still."""
BROKER_DEADLINE_S = 60.0
"""How long the broker may be away, or acknowledge nothing, before the fleet gives up."""
_RECONNECT_S = 0.25
_READ_BYTES = 65_536


class _BurstClient(mqtt.Client):
    """paho's client with one system call for many small packets instead of three for each.

    ``_sock_recv`` is the one place where paho reads its socket: it asks for 1, 1 and then a few
    bytes of each PUBACK, which this serves from a buffer.
    """

    _buffer = b""
    _at = 0

    def _sock_recv(self, bufsize: int) -> bytes:
        if self._at >= len(self._buffer):
            self._buffer, self._at = super()._sock_recv(_READ_BYTES), 0
        chunk = self._buffer[self._at : self._at + bufsize]
        self._at += len(chunk)
        return chunk

    @property
    def buffered(self) -> bool:
        """Whether packets lie in the buffer that no call of select would tell of."""
        return self._at < len(self._buffer)

    def forget_buffer(self) -> None:
        """Drop what an old connection left."""
        self._buffer, self._at = b"", 0


class Connection:
    """One MQTT connection: messages go out in order; those without PUBACK go again."""

    def __init__(self, client_id: str, settings: MqttSettings) -> None:
        self.acknowledged = 0
        self.unacknowledged = 0
        self.waiting: deque[tuple[str, bytes]] = deque()
        self.refused: str | None = None
        self._window = MAX_UNACKNOWLEDGED
        self._ready = False
        self._retry_at = 0.0
        self._settings = settings
        self._client = client = _BurstClient(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=mqtt.MQTTv5,
            reconnect_on_failure=False,
        )
        client.max_inflight_messages_set(0)
        client.max_queued_messages_set(0)
        if settings.username is not None:
            password = settings.password.get_secret_value() if settings.password else None
            client.username_pw_set(settings.username, password)
        if settings.tls_ca_file is not None:
            _speak_tls(client, settings)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
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

    def pump(self) -> None:
        """Read, write and keep the connection alive without waiting; reconnect where it broke."""
        client = self._client
        if client.socket() is None:
            self._reconnect()
            return
        if client.want_write():
            client.loop_write()
        client.loop_read()
        while client.buffered and client.socket() is not None:
            client.loop_read()
        client.loop_misc()

    def close(self) -> None:
        """Disconnect and end the session."""
        if self._client.socket() is None:
            return
        self._client.disconnect(properties=_session_expiry(PacketTypes.DISCONNECT, 0))
        deadline = time.monotonic() + 1
        while self._client.want_write() and time.monotonic() < deadline:
            self._client.loop_write()

    def _reconnect(self) -> None:
        self._ready = False
        if time.monotonic() < self._retry_at:
            return
        self._client.forget_buffer()
        try:
            self._client.reconnect()
        except OSError:
            self._retry_at = time.monotonic() + _RECONNECT_S

    def _on_connect(
        self,
        client: mqtt.Client,
        userdata: object,
        flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self.refused = str(reason)
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
        self._connections = [Connection(client_id, settings) for client_id in client_ids]
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
        for connection in self._connections:
            if connection.waiting:
                connection.send()
            connection.pump()
            if connection.refused is not None:
                raise UnavailableError(
                    f"the MQTT broker at {self._settings.host}:{self._settings.port} refuses "
                    f"{connection.refused}; check the settings mqtt.username and mqtt.password"
                )
        self._check_progress()

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

    def _check_progress(self) -> None:
        now, acknowledged = time.monotonic(), self.acknowledged
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


def _speak_tls(client: mqtt.Client, settings: MqttSettings) -> None:
    try:
        client.tls_set(ca_certs=str(settings.tls_ca_file))
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"setting mqtt.tls_ca_file: {settings.tls_ca_file} cannot be read: {error}"
        ) from None
