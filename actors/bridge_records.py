"""What becomes of one MQTT message: the Kafka records that hold it. Pure."""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from pipelines.dead_letters import dead_letter
from pipelines.errors import DataError
from pipelines.frame_scanner import DeadSpan
from pipelines.partitioner import partition_of
from pipelines.sensor_topic import PREFIX, sensor_id_fault
from pipelines.ticks import MQTT_TOPIC as TICK_MQTT_TOPIC
from pipelines.ticks import decode_tick
from pipelines.topics import (
    CONTENT_TYPE,
    DEAD_LETTERS,
    FRAMES_TYPE,
    PARTITIONS,
    RAW,
    TICK_TYPE,
)

PIPELINE = "bridge"
ROUTES_KEPT = 65_536
"""Topics whose route is remembered; hashing an id costs more than all else here."""

DEAD_LETTER_PIECE_BYTES = 900_000
"""A Kafka record holds about 1 MB, an MQTT payload up to 256 MB: a larger one is kept in pieces,
each with its byte range."""

_FRAMES = FRAMES_TYPE.encode()
_TICK = TICK_TYPE.encode()
_TICK_MQTT_TOPIC = TICK_MQTT_TOPIC.encode()


Headers = list[tuple[str, str | bytes | None]]


class Record(NamedTuple):
    """One record to produce."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes
    headers: Headers


class Route(NamedTuple):
    """Where the messages of one MQTT topic go; ``fault`` says why they cannot be taken."""

    partition: int
    key: bytes | None
    fault: str | None


@lru_cache(maxsize=ROUTES_KEPT)
def route_of(mqtt_topic: bytes) -> Route:
    """Return the key and partition of a sensor's topic."""
    prefix = PREFIX.encode()
    if not mqtt_topic.startswith(prefix):
        return Route(0, None, f"the topic does not begin with {PREFIX}")
    key = mqtt_topic[len(prefix) :]
    try:
        sensor_id = key.decode()
    except UnicodeDecodeError:
        return Route(0, key, "the sensor id is not UTF-8")
    fault = sensor_id_fault(sensor_id)
    return Route(
        partition_of(sensor_id), key or None, None if fault is None else f"the sensor id {fault}"
    )


class RecordMaker:
    """Turns messages into records."""

    def __init__(self, max_payload_bytes: int, code_version: str) -> None:
        self._max_payload_bytes = max_payload_bytes
        self._code_version = code_version.encode()

    def records(self, mqtt_topic: bytes, payload: bytes, received_us: int) -> list[Record]:
        """Return the records for a message, at least one.

        A frame is one record of imu-data-all, a tick one in each of its partitions; what can be
        neither is in dead-letters, byte for byte.
        """
        if mqtt_topic == _TICK_MQTT_TOPIC:
            return self._tick(payload, received_us)
        partition, key, fault = route_of(mqtt_topic)
        if fault is not None:
            reason, detail = "bad_topic", fault
        elif len(payload) > self._max_payload_bytes:
            reason = "payload_too_large"
            detail = f"{len(payload)} bytes, more than {self._max_payload_bytes}"
        else:
            headers: Headers = [
                ("mqtt-topic", mqtt_topic),
                ("received-us", b"%d" % received_us),
                (CONTENT_TYPE, _FRAMES),
            ]
            return [Record(RAW, partition, key, payload, headers)]
        route = Route(partition, key, detail)
        return list(self._dead_letters(mqtt_topic, payload, received_us, reason, route))

    def _tick(self, payload: bytes, received_us: int) -> list[Record]:
        try:
            decode_tick(payload)
        except DataError as error:
            route = Route(0, None, str(error))
            return list(
                self._dead_letters(_TICK_MQTT_TOPIC, payload, received_us, "not_a_tick", route)
            )
        headers: Headers = [
            ("mqtt-topic", _TICK_MQTT_TOPIC),
            ("received-us", b"%d" % received_us),
            (CONTENT_TYPE, _TICK),
        ]
        return [Record(RAW, partition, None, payload, headers) for partition in range(PARTITIONS)]

    def _dead_letters(
        self, mqtt_topic: bytes, payload: bytes, received_us: int, reason: str, route: Route
    ) -> Iterator[Record]:
        for start in range(0, max(len(payload), 1), DEAD_LETTER_PIECE_BYTES):
            end = min(start + DEAD_LETTER_PIECE_BYTES, len(payload))
            letter = dead_letter(
                DeadSpan(start, end, reason, route.fault or ""),
                pipeline=PIPELINE,
                code_version=self._code_version,
                key=route.key,
                payload=payload,
                source=mqtt_topic.decode(errors="backslashreplace"),
                failed_us=received_us,
            )
            yield Record(
                DEAD_LETTERS, route.partition, route.key, bytes(letter.value), [*letter.headers]
            )
