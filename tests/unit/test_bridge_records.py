"""What the bridge makes of one MQTT message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.bridge_records import DEAD_LETTER_PIECE_BYTES, Record, RecordMaker
from pipelines.partitioner import partition_of
from pipelines.sensor_topic import MAX_SENSOR_ID_CHARACTERS, sensor_id_fault, sensor_topic
from pipelines.ticks import MQTT_TOPIC, Tick, encode_tick

RECEIVED_US = 1_760_000_000_123_456
MAKER = RecordMaker(max_payload_bytes=2_000, code_version="v1")


def headers(record: Record) -> dict[str, str | bytes | None]:
    """The record's headers by name."""
    return dict(record.headers)


@given(st.text(min_size=1, max_size=64), st.binary(max_size=2_000))
def test_a_frame_is_one_record_of_its_sensor_byte_for_byte(sensor_id: str, payload: bytes) -> None:
    if sensor_id_fault(sensor_id) is not None:
        return
    (record,) = MAKER.records(sensor_topic(sensor_id).encode(), payload, RECEIVED_US)
    assert record[:4] == ("imu-data-all", partition_of(sensor_id), sensor_id.encode(), payload)
    assert headers(record) == {
        "mqtt-topic": sensor_topic(sensor_id).encode(),
        "received-us": b"1760000000123456",
        "content-type": b"application/vnd.imustream.frames",
    }


def test_an_empty_payload_goes_on_to_be_judged_with_the_frames() -> None:
    (record,) = MAKER.records(b"imu/sensor1", b"", RECEIVED_US)
    assert (record.topic, record.value) == ("imu-data-all", b"")


def test_a_tick_goes_to_every_partition_without_a_key() -> None:
    value = encode_tick(Tick(1_760_000_000, RECEIVED_US))
    records = MAKER.records(MQTT_TOPIC.encode(), value, RECEIVED_US)
    assert [record.partition for record in records] == list(range(10))
    assert {record.key for record in records} == {None}
    assert {record.value for record in records} == {value}
    assert headers(records[0])["content-type"] == b"application/vnd.imustream.tick+json"


@pytest.mark.parametrize(
    ("topic", "key", "detail"),
    [
        (b"imu/", None, b"the sensor id is empty"),
        (b"imu/" + b"x" * 65, b"x" * 65, b"the sensor id has 65 characters, more than 64"),
        (b"imu/a\x07b", b"a\x07b", b"the sensor id holds the control character U+0007"),
        (b"imu/a\xc2\x85", b"a\xc2\x85", b"the sensor id holds the control character U+0085"),
        (b"imu/a#", b"a#", b"the sensor id holds '#'"),
        (b"imu/\xff", b"\xff", b"the sensor id is not UTF-8"),
        (b"elsewhere/x", None, b"the topic does not begin with imu/"),
    ],
)
def test_a_bad_topic_goes_to_the_dead_letters(topic: bytes, key: bytes, detail: bytes) -> None:
    (record,) = MAKER.records(topic, b"payload", RECEIVED_US)
    assert (record.topic, record.key, record.value) == ("dead-letters", key, b"payload")
    assert headers(record) == {
        "reason": b"bad_topic",
        "detail": detail,
        "pipeline": b"bridge",
        "source": topic.decode(errors="backslashreplace").encode(),
        "byte-range": b"0-7",
        "failed-us": b"1760000000123456",
        "code-version": b"v1",
        "content-type": b"application/octet-stream",
    }


def test_sixty_four_characters_of_any_script_are_a_sensor_id() -> None:
    sensor_id = "ж" * MAX_SENSOR_ID_CHARACTERS
    (record,) = MAKER.records(sensor_topic(sensor_id).encode(), b"x", RECEIVED_US)
    assert record.topic == "imu-data-all"


def test_a_payload_too_large_goes_to_the_dead_letters_in_pieces_that_kafka_can_hold() -> None:
    payload = bytes(range(256)) * 7_500
    records = MAKER.records(b"imu/sensor1", payload, RECEIVED_US)
    assert {record.topic for record in records} == {"dead-letters"}
    assert {record.key for record in records} == {b"sensor1"}
    assert {headers(record)["reason"] for record in records} == {b"payload_too_large"}
    assert b"".join(record.value for record in records) == payload
    assert headers(records[1])["byte-range"] == (
        f"{DEAD_LETTER_PIECE_BYTES}-{2 * DEAD_LETTER_PIECE_BYTES}".encode()
    )


@pytest.mark.parametrize("payload", [b"", b"tick", b"[1]", b'{"tick": 1.5, "published_us": 2}'])
def test_what_is_no_tick_is_not_passed_on_as_one(payload: bytes) -> None:
    (record,) = MAKER.records(MQTT_TOPIC.encode(), payload, RECEIVED_US)
    assert (record.topic, headers(record)["reason"]) == ("dead-letters", b"not_a_tick")
