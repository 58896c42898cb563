"""Clients of `live` and `api`, and what they are shown, as the tests need them."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import httpx
from jsonschema import Draft202012Validator
from websockets.sync.client import ClientConnection, connect

from cluster.setup.paths import ROOT
from pipelines import topics
from pipelines.kafka_clients import new_producer, transactional_options
from pipelines.partitioner import partition_of
from pipelines.settings import KafkaSettings, Settings
from serve.auth import new_token

WAIT_S = 20.0
MAX_CLIENTS = 8
QUEUE_MESSAGES = 4
MAX_SUBSCRIPTIONS = 6
MAX_QUEUE = 16
_SCHEMA = json.loads((ROOT / "pipelines/schemas/websocket-message.schema.json").read_text())
VALIDATOR = Draft202012Validator(_SCHEMA)


def bearer(settings: Settings) -> dict[str, str]:
    """Return the header that a program logs in with."""
    return {"Authorization": f"Bearer {new_token(settings, hours=1)}"}


def http(settings: Settings, *, logged_in: bool = True) -> httpx.Client:
    """Return a client of `api`."""
    return httpx.Client(
        base_url=f"http://127.0.0.1:{settings.serve.port}",
        headers=bearer(settings) if logged_in else {},
        timeout=WAIT_S,
    )


def websocket(
    settings: Settings, stream: str, sensor_id: str, query: str = "", **options: Any
) -> ClientConnection:
    """Open a stream of `live` as a program does; ``options`` are those of `connect`."""
    return _connected(settings, f"/{stream}/{quote(sensor_id, safe='')}{query}", options)


def multiplexed(settings: Settings, query: str = "", **options: Any) -> ClientConnection:
    """Open `/ws`, where a client subscribes."""
    return _connected(settings, query, options)


def of_all(settings: Settings, stream: str, query: str = "", **options: Any) -> ClientConnection:
    """Open a stream that is not of one sensor."""
    return _connected(settings, f"/{stream}{query}", options)


def _connected(settings: Settings, path: str, options: Any) -> ClientConnection:
    connection: ClientConnection = connect(
        f"ws://127.0.0.1:{settings.serve.port}/ws{path}",
        **{
            "additional_headers": bearer(settings),
            "compression": None,
            "max_size": None,
            "proxy": None,
            **options,
        },
    )
    return connection


def received(connection: ClientConnection) -> dict[str, Any]:
    """Return the next message, after holding it against the schema."""
    message = noted(connection)
    assert len({len(column) for column in message["columns"].values()}) == 1
    return message


def noted(connection: ClientConnection) -> dict[str, Any]:
    """Return the next message or note, after holding it against the schema."""
    message: dict[str, Any] = json.loads(connection.recv(timeout=WAIT_S))
    VALIDATOR.validate(message)
    return message


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come about in {WAIT_S} s"
        time.sleep(0.05)


class Pipeline:
    """Writes to Kafka as the pipelines do: in transactions, each into its sensor's partition."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._producer = new_producer(transactional_options(settings, "test.serve", 30))
        self._producer.init_transactions(WAIT_S)

    @contextmanager
    def transaction(self, *, commit: bool = True) -> Iterator[None]:
        """Commit, or abort, what is written inside."""
        self._producer.begin_transaction()
        yield
        if commit:
            self._producer.commit_transaction(WAIT_S)
        else:
            self._producer.flush(WAIT_S)
            self._producer.abort_transaction(WAIT_S)

    def transformed(self, sensor_id: str, value: bytes) -> None:
        """Write a record of samples."""
        self._write(topics.TRANSFORMED, partition_of(sensor_id), None, value, topics.ARROW_TYPE)

    def aggregated(self, sensor_id: str, value: bytes) -> None:
        """Write a window."""
        place = partition_of(sensor_id)
        self._write(topics.AGGREGATED, place, sensor_id.encode(), value, topics.JSON_TYPE)

    def predictions(self, sensor_id: str, value: bytes) -> None:
        """Write a record of predictions."""
        self._write(topics.PREDICTIONS, partition_of(sensor_id), None, value, topics.ARROW_TYPE)

    def session(self, sensor_id: str, value: bytes) -> None:
        """Write a session's event."""
        place = partition_of(sensor_id)
        self._write(topics.SESSIONS, place, sensor_id.encode(), value, topics.JSON_TYPE)

    def alarm(self, key: bytes, value: bytes | None) -> None:
        """Write an alarm, or take it back."""
        self._write(topics.CONTROL, 0, key, value, topics.JSON_TYPE)

    def raw(self, sensor_id: str, payload: bytes, received_us: int) -> None:
        """Write a device's payload."""
        place, key = partition_of(sensor_id), sensor_id.encode()
        received = ("received-us", b"%d" % received_us)
        self._write(topics.RAW, place, key, payload, topics.FRAMES_TYPE, received)

    def tick(self, topic: str, partition: int) -> None:
        """Write a tick."""
        self._write(topic, partition, None, b'{"tick":1,"published_us":1}', topics.TICK_TYPE)

    def state(self, partition: int, key: bytes, value: bytes | None) -> None:
        """Write a record of sensor_processing's changelog."""
        self.changelog("sensor-processing", partition, key, value)

    def changelog(self, pipeline: str, partition: int, key: bytes, value: bytes | None) -> None:
        """Write a record of a pipeline's changelog."""
        self._write(f"{pipeline}-changelog", partition, key, value, topics.JSON_TYPE)

    def forget_control(self, name: str) -> None:
        """Take back the control record of a pipeline."""
        self._write(topics.CONTROL, 0, name.encode(), None, topics.JSON_TYPE)

    def _write(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        content_type: str,
        *headers: tuple[str, bytes],
    ) -> None:
        named: list[tuple[str, str | bytes | None]] = [
            (topics.CONTENT_TYPE, content_type.encode()),
            *headers,
        ]
        self._producer.produce(topic, value, key, partition=partition, headers=named)


class Listener:
    """Reads a stream in a thread of its own, as fast as it can."""

    def __init__(self, connection: ClientConnection) -> None:
        self.messages: list[dict[str, Any]] = []
        self._connection = connection
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for text in self._connection:
            self.messages.append(json.loads(text))

    def wait_for(self, count: int) -> None:
        """Wait until ``count`` messages have come."""
        eventually(lambda: len(self.messages) >= count, f"message {count}")
