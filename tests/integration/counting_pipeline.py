"""A pipeline of the counting operator on topics of its own: feed it, run it, judge its outputs."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import Message

from pipelines.admin import create_topics
from pipelines.changelog import Saved, read_changelog
from pipelines.compacted import reader, until_end
from pipelines.kafka_clients import new_producer, producer_options
from pipelines.owned_partition import SlotIdentity
from pipelines.settings import Settings
from pipelines.slot import Slot
from pipelines.slot_loop import SlotLoop
from pipelines.topics import PARTITIONS, TOPICS, Topic
from tests.integration.counting_operator import Counting

CODE_VERSION = "test"
ALL_PARTITIONS = range(PARTITIONS)
_HERE = Path(__file__).resolve().parent


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 30.0) -> None:
    """Poll a condition; fail with its name when it does not come true in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not in {timeout_s} s: {what}"
        time.sleep(0.02)


class CountingPipeline:
    """Topics of its own, named after ``name``, which must be new."""

    def __init__(self, settings: Settings, name: str) -> None:
        self.settings = settings
        self.operator = Counting(name)
        topics = (self.operator.input_topic, self.operator.output_topic)
        compacted = Topic(self.operator.changelog_topic, config={"cleanup.policy": "compact"})
        create_topics(settings.kafka, (*TOPICS, *map(Topic, topics), compacted))

    def identity(self, generation: int = 1, slot: int = 0, slots: int = 1) -> SlotIdentity:
        return SlotIdentity(self.operator.name, generation, slot, slots, CODE_VERSION)

    def feed(self, records: int, keys: int = 30, value: bytes = b"1", first: int = 0) -> None:
        """Produce ``records`` records, their values 0, 1, 2 ... unless told, over ``keys`` keys."""
        producer = new_producer(producer_options(self.settings.kafka, "feed"))
        for row in range(first, first + records):
            producer.produce(
                self.operator.input_topic,
                key=f"sensor{row % keys}",
                value=str(row) if value == b"1" else value,
                headers={"received-us": str(row)},
            )
            producer.poll(0)
        assert producer.flush(60) == 0

    @contextmanager
    def feeding(self, keys: int = 30, per_s: int = 2_000) -> Iterator[None]:
        """Produce all the while, at about ``per_s`` records a second."""
        over = threading.Event()

        def feed() -> None:
            row = 0
            while not over.is_set():
                self.feed(per_s // 20, keys, first=row)
                row += per_s // 20
                over.wait(0.05)

        thread = threading.Thread(target=feed)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    @contextmanager
    def running(
        self, identity: SlotIdentity, operator: Counting | None = None
    ) -> Iterator[SlotLoop]:
        """Run a slot in a thread of this process."""
        run = operator or self.operator
        loop = SlotLoop(lambda: Slot(run, self.settings, identity), self.settings, identity)
        thread = threading.Thread(target=loop.run)
        thread.start()
        try:
            yield loop
        finally:
            loop.stop()
            thread.join()

    def spawn(self, identity: SlotIdentity) -> "subprocess.Popen[bytes]":
        """Run a slot in a process of its own; the caller ends it."""
        kafka = self.settings.kafka.bootstrap_servers
        environment = {
            **os.environ,
            "IMUSTREAM_KAFKA__BOOTSTRAP_SERVERS": kafka,
            "PYTHONPATH": str(_HERE.parent.parent),
        }
        arguments = [str(part) for part in identity]
        return subprocess.Popen(
            [sys.executable, str(_HERE / "run_counting_slot.py"), *arguments],
            env=environment,
            cwd=_HERE.parent.parent,
        )

    def saved(self) -> dict[int, Saved]:
        """What the changelog says of each partition."""
        return read_changelog(
            self.settings.kafka, self.operator.changelog_topic, list(ALL_PARTITIONS)
        )

    def records(self, topic: str) -> list[Message]:
        """All committed records of a topic."""
        consumer = reader(self.settings.kafka, "judge")
        try:
            return list(until_end(consumer, topic, list(ALL_PARTITIONS)))
        finally:
            consumer.close()

    def all_committed(self) -> bool:
        """Whether every input record is behind the ledger of its partition."""
        inputs = len(self.records(self.operator.input_topic))
        ledgers = [saved.ledger for saved in self.saved().values()]
        return inputs == sum(ledger.counts["records"] for ledger in ledgers if ledger)

    def wait_until_all_committed(self, timeout_s: float = 60.0) -> None:
        wait_until(self.all_committed, "all inputs committed", timeout_s)

    def assert_outputs_exact(self) -> None:
        """Each input has one output, in order, computed from the right state."""
        expected: dict[int, list[tuple[bytes | None, bytes]]] = {p: [] for p in ALL_PARTITIONS}
        totals: dict[bytes, tuple[int, int]] = {}
        for message in self.records(self.operator.input_topic):
            key, value = message.key(), message.value()
            assert key is not None and value is not None
            count, total = totals.get(key, (0, 0))
            totals[key] = count, total = count + 1, total + int(value)
            line = {"offset": message.offset(), "count": count, "total": total}
            expected[message.partition() or 0].append((key, json.dumps(line).encode()))
        found: dict[int, list[tuple[bytes | None, bytes]]] = {p: [] for p in ALL_PARTITIONS}
        for message in self.records(self.operator.output_topic):
            found[message.partition() or 0].append((message.key(), message.value() or b""))
        assert found == expected
