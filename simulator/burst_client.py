"""paho's client with the system calls of a burst put together.

paho 2 reads each PUBACK with three calls of ``recv``, writes each PUBLISH with one of ``send``
and builds two objects for each PUBACK: more than half of what a message costs. The four methods
overridden here are the only places where it does so; everything else is paho's own.
"""

from typing import Literal

import paho.mqtt.client as mqtt
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

_READ_BYTES = 65_536
_SUCCESS = ReasonCode(PacketTypes.PUBACK)
_NO_PROPERTIES = Properties(PacketTypes.PUBACK)  # type: ignore[no-untyped-call]


class BurstClient(mqtt.Client):
    """A client whose loop_read() and loop_write() cost a few system calls, however many packets.

    Call ``loop_read`` again while :attr:`buffered`, :meth:`forget` when a socket opens, and set
    :attr:`gathering` to False before ``disconnect``, after which paho closes the socket itself.
    """

    gathering = True
    _received = b""
    _at = 0
    _unsent = memoryview(b"")
    _gathered: list[bytes | bytearray] | None = None

    @property
    def buffered(self) -> bool:
        """Whether packets lie in the buffer that no call of select would tell of."""
        return self._at < len(self._received)

    def forget(self) -> None:
        """Drop what an old connection left; paho sends again what was not acknowledged."""
        self._received, self._at, self._unsent = b"", 0, memoryview(b"")

    def want_write(self) -> bool:
        """Tell whether there is something to write."""
        return len(self._unsent) > 0 or super().want_write()

    def _sock_recv(self, bufsize: int) -> bytes:
        """Serve paho's reads of a byte or two from one large read."""
        if not self.buffered:
            self._received, self._at = super()._sock_recv(_READ_BYTES), 0
        chunk = self._received[self._at : self._at + bufsize]
        self._at += len(chunk)
        return chunk

    def _sock_send(self, buf: bytes | bytearray) -> int:
        """Take a packet; it is sent with the others of its burst."""
        if self._gathered is None:
            return super()._sock_send(buf)
        self._gathered.append(buf)
        return len(buf)

    def _packet_write(self) -> MQTTErrorCode:
        """Write every queued packet, or as much as the socket takes now."""
        if not self.gathering:
            return super()._packet_write()
        if not self._unsent:
            self._gathered = []
            super()._packet_write()
            burst, self._gathered = b"".join(self._gathered), None
            self._unsent = memoryview(burst)
        if not self._unsent:
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        try:
            self._unsent = self._unsent[super()._sock_send(self._unsent) :]  # type: ignore[arg-type]
        except BlockingIOError:
            return MQTTErrorCode.MQTT_ERR_AGAIN
        except OSError:
            return MQTTErrorCode.MQTT_ERR_CONN_LOST
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _handle_pubackcomp(self, cmd: Literal["PUBACK", "PUBCOMP"]) -> MQTTErrorCode:
        """Take a PUBACK of two bytes, which means success, without building its objects anew."""
        packet = self._in_packet["packet"]
        if cmd != "PUBACK" or len(packet) != 2:
            return super()._handle_pubackcomp(cmd)
        mid = int.from_bytes(packet, "big")
        with self._out_message_mutex:
            if mid in self._out_messages:
                return self._do_on_publish(mid, _SUCCESS, _NO_PROPERTIES)
        return MQTTErrorCode.MQTT_ERR_SUCCESS
