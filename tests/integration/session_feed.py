"""Writes events of sessions to new-session-topic as session_aggregation does; runs a writer."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import Message
from pymongo import MongoClient

from pipelines import topics
from pipelines.admin import create_topics
from pipelines.compacted import reader, until_end
from pipelines.kafka_clients import new_producer, transactional_options
from pipelines.owned_partition import SlotIdentity
from pipelines.partitioner import partition_of
from pipelines.settings import Settings
from pipelines.sinks.session_writer import SessionWriter
from pipelines.sinks.sink_offsets import Mark, Place, read_group_marks
from pipelines.slot_loop import SlotLoop
from pipelines.topics import PARTITIONS
from tests.integration.counting_pipeline import wait_until

_HERE = Path(__file__).resolve().parent
_COMMIT_S = 20.0
PLACES = [Place(topics.SESSIONS, partition) for partition in range(PARTITIONS)]


class SessionFeed:
    """A writer under a name and with a database of its own; the topic is that of all tests."""

    def __init__(self, settings: Settings, name: str) -> None:
        self.settings = settings.model_copy(deep=True)
        self.settings.mongo.database = name.replace("-", "_")
        self.pipeline = name
        create_topics(settings.kafka)
        self._producer = new_producer(transactional_options(settings.kafka, f"feed.{name}", 30))
        self._producer.init_transactions(_COMMIT_S)

    def identity(self, generation: int = 1, slot: int = 0, slots: int = 1) -> SlotIdentity:
        return SlotIdentity(self.pipeline, generation, slot, slots, "test")

    def write(self, events: Sequence[dict[str, Any]], *, ticks: bool = True) -> None:
        """Write events in one transaction, and a tick to each partition."""
        self._producer.begin_transaction()
        for event in events:
            self._produce(event["sensor_id"], json.dumps(event).encode())
        for partition in range(PARTITIONS if ticks else 0):
            self._producer.produce(
                topics.SESSIONS,
                b'{"tick":1,"published_us":1}',
                partition=partition,
                headers=[(topics.CONTENT_TYPE, topics.TICK_TYPE.encode())],
            )
        self._producer.commit_transaction(_COMMIT_S)

    def write_raw(self, sensor_id: str, value: bytes) -> None:
        """Write any bytes."""
        self._producer.begin_transaction()
        self._produce(sensor_id, value)
        self._producer.commit_transaction(_COMMIT_S)

    def _produce(self, sensor_id: str, value: bytes) -> None:
        self._producer.produce(
            topics.SESSIONS,
            value,
            sensor_id.encode(),
            partition=partition_of(sensor_id),
            headers=[(topics.CONTENT_TYPE, topics.JSON_TYPE.encode())],
        )
        self._producer.poll(0)

    @contextmanager
    def running(self, identity: SlotIdentity | None = None) -> Iterator[SlotLoop]:
        """Run a slot in a thread of this process."""
        who = identity or self.identity()
        loop = SlotLoop(lambda: SessionWriter(self.settings, who), self.settings, who)
        thread = threading.Thread(target=loop.run)
        thread.start()
        try:
            yield loop
        finally:
            loop.stop()
            thread.join()

    def spawn(self, identity: SlotIdentity) -> "subprocess.Popen[bytes]":
        """Run a slot in a process of its own; the caller ends it."""
        environment = {
            **os.environ,
            "IMUSTREAM_KAFKA__BOOTSTRAP_SERVERS": self.settings.kafka.bootstrap_servers,
            "IMUSTREAM_MONGO__URI": self.settings.mongo.uri.get_secret_value(),
            "IMUSTREAM_MONGO__DATABASE": self.settings.mongo.database,
            "PYTHONPATH": str(_HERE.parent.parent),
        }
        command = [sys.executable, str(_HERE / "run_session_writer.py"), *map(str, identity)]
        return subprocess.Popen(command, env=environment, cwd=_HERE.parent.parent)

    def marks(self) -> dict[Place, Mark]:
        return read_group_marks(self.settings.kafka, self.pipeline, PLACES)

    def counts(self) -> dict[str, int]:
        """The writer's counts over all partitions."""
        total: dict[str, int] = {}
        for mark in self.marks().values():
            for name, count in mark.counts.items():
                total[name] = total.get(name, 0) + count
        return total

    def wait_until_written(self, timeout_s: float = 60.0) -> None:
        """Wait until the marks have passed every record that is in the topic now."""
        written = dict.fromkeys(PLACES, 0)
        for message in self.records(topics.SESSIONS):
            written[Place(topics.SESSIONS, message.partition() or 0)] = (message.offset() or 0) + 1

        def done() -> bool:
            marks = self.marks()
            return all(
                place in marks and marks[place].next_offset >= end for place, end in written.items()
            )

        wait_until(done, "all events written", timeout_s)

    def records(self, topic: str) -> list[Message]:
        """All committed records of a topic."""
        consumer = reader(self.settings.kafka, "judge")
        try:
            return list(until_end(consumer, topic, list(range(PARTITIONS))))
        finally:
            consumer.close()

    def letters(self) -> list[tuple[dict[str, bytes], bytes]]:
        """The headers and bytes of this writer's dead letters."""
        found = []
        for message in self.records(topics.DEAD_LETTERS):
            headers = dict(message.headers() or ())
            if headers.get("pipeline") == self.pipeline.encode():
                found.append((headers, message.value() or b""))
        return found

    def documents(self, collection: str) -> dict[str, dict[str, Any]]:
        """The collection's documents by id."""
        client: MongoClient[dict[str, Any]] = MongoClient(
            self.settings.mongo.uri.get_secret_value()
        )
        try:
            database = client[self.settings.mongo.database]
            return {document["_id"]: document for document in database[collection].find()}
        finally:
            client.close()

    def expected(self) -> dict[str, dict[str, Any]]:
        """The documents that the topic's events make: the highest revision of each session."""
        newest: dict[str, dict[str, Any]] = {}
        for message in self.records(topics.SESSIONS):
            if message.key() is None:
                continue
            try:
                event = json.loads(message.value() or b"")
                revision = event["revision"]
            except (ValueError, KeyError, TypeError):
                continue
            known = newest.get(event["session_id"])
            if message.key() != event["sensor_id"].encode() or event["samples"] >= 2**63:
                continue
            if known is None or revision > known["revision"]:
                newest[event["session_id"]] = event
        return {
            session_id: {
                "_id": session_id,
                "session": {k: v for k, v in event.items() if k != "session_id"},
            }
            for session_id, event in newest.items()
        }

    def assert_documents_exact(self) -> None:
        assert self.documents("sessions") == self.expected()
