"""How the bridge takes MQTT packets from the bytes of a connection."""

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.enums import MQTTErrorCode

from actors.bridge_mqtt import BatchClient, MalformedError, variable_integer

Message = tuple[bytes, bytes, int | None]


def encode_length(number: int) -> bytes:
    """A variable byte integer, MQTT 5 section 1.5.5."""
    encoded = b""
    while number > 127:
        encoded += bytes([number & 127 | 128])
        number >>= 7
    return encoded + bytes([number])


def publish_packet(topic: bytes, payload: bytes, mid: int | None, properties: bytes) -> bytes:
    """A PUBLISH packet, MQTT 5 section 3.3."""
    body = struct.pack("!H", len(topic)) + topic
    if mid is not None:
        body += struct.pack("!H", mid)
    body += encode_length(len(properties)) + properties + payload
    return bytes([0x30 if mid is None else 0x32]) + encode_length(len(body)) + body


def connected() -> tuple[BatchClient, socket.socket, list[Message]]:
    """A client whose connection's other end is in the test's hand."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    taken: list[Message] = []
    client = BatchClient("bridge", lambda *message: taken.append(message))
    client._sock = ours
    return client, theirs, taken


messages = st.tuples(
    st.binary(min_size=1, max_size=40),
    st.binary(max_size=300),
    st.none() | st.integers(1, 65_535),
    # A content type as a property, long enough to need a length of two bytes, or none.
    st.sampled_from([b"", b"\x03\x00\x01a", b"\x03\x00\x96" + b"a" * 150]),
)


@given(st.lists(messages, max_size=8), st.lists(st.integers(1, 500), min_size=1, max_size=20))
def test_messages_are_whole_and_in_order_however_the_bytes_are_cut(
    sent: list[tuple[bytes, bytes, int | None, bytes]], cuts: list[int]
) -> None:
    client, broker, taken = connected()
    stream = b"".join(publish_packet(*message) for message in sent) + b"\xd0\x00"
    at = k = 0
    while at < len(stream):
        piece = stream[at : at + cuts[k % len(cuts)]]
        broker.send(piece)
        assert client.loop_read() == MQTTErrorCode.MQTT_ERR_SUCCESS
        at += len(piece)
        k += 1
    assert taken == [(topic, payload, mid) for topic, payload, mid, _ in sent]
    broker.close()
    client.socket().close()  # type: ignore[union-attr]


def test_acknowledgements_leave_together_and_in_order() -> None:
    client, broker, _ = connected()
    client.acknowledge([3, 1, 65_535])
    assert broker.recv(100) == b"\x40\x02\x00\x03\x40\x02\x00\x01\x40\x02\xff\xff"


@pytest.mark.parametrize(
    "sent", [b"\x32\xff\xff\xff\xff\x01", publish_packet(b"imu/a", b"", 1, b"")[:-1] + b"\xff"]
)
def test_bytes_that_are_no_packet_end_the_connection(sent: bytes) -> None:
    client, broker, taken = connected()
    broker.send(sent)
    assert client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS
    assert (client.socket(), taken) == (None, [])


@given(st.integers(0, 268_435_455))
def test_lengths_are_read_as_the_standard_writes_them(number: int) -> None:
    data = bytearray(b"\x32" + encode_length(number))
    assert variable_integer(data, 1) == (number, len(data))
    assert variable_integer(data[:-1], 1) is None


def test_a_length_of_five_bytes_is_refused() -> None:
    with pytest.raises(MalformedError):
        variable_integer(bytearray(b"\x80\x80\x80\x80\x01"), 0)
