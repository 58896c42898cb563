"""Sessions go on under their ids when the slot that makes them is killed, over a real Kafka."""

import json
import os
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from topic_reader import read_topic, wait_until

from cluster.local.settings_environment import child_environment
from cluster.local.stack import Stack
from cluster.setup.paths import ROOT
from pipelines import topics
from pipelines.admin import create_topics
from pipelines.kafka_clients import new_producer, producer_options
from pipelines.partitioner import partition_of
from pipelines.settings import Settings
from pipelines.verify.sessions import verify_sessions
from tests.conftest import running_stack
from tests.unit.session_run import motion, tick, velocity

SENSORS = [b"sensor%02d" % number for number in range(20)]
_HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def kafka() -> Iterator[Stack]:
    """A Kafka of its own, whose topics hold nothing else."""
    with running_stack(("kafka",)) as stack:
        create_topics(stack.settings.kafka)
        yield stack


class Fleet:
    """Publishes windows of `SENSORS`, and a tick to every partition each second of their time."""

    def __init__(self, settings: Settings) -> None:
        self._producer = new_producer(producer_options(settings.kafka, "windows"))
        self.seconds = 0

    def publish(self, seconds: int, *, moving: bool = True) -> None:
        for _ in range(seconds):
            now_s = self.seconds
            for sensor in SENSORS if moving and now_s % 2 == 0 else ():
                for key, value, _ in (motion(now_s, sensor), velocity(now_s - 4, sensor)):
                    self._send(partition_of(sensor.decode()), key, value)
            for partition in range(topics.PARTITIONS):
                self._send(partition, *tick(now_s)[:2])
            self.seconds += 1
        assert self._producer.flush(60) == 0

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """Publish all the while, some twenty seconds of the fleet's time a second."""
        over = threading.Event()

        def publish() -> None:
            while not over.is_set():
                self.publish(2)
                over.wait(0.1)

        thread = threading.Thread(target=publish)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _send(self, partition: int, key: bytes | None, value: bytes) -> None:
        self._producer.produce(topics.AGGREGATED, value, key, partition)
        self._producer.poll(0)


def spawn(settings: Settings) -> "subprocess.Popen[bytes]":
    """Run the slot in a process of its own; the caller ends it."""
    return subprocess.Popen(
        [sys.executable, str(_HERE / "run_session_slot.py")],
        env={**os.environ, **child_environment(settings, ROOT), "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
    )


def events(settings: Settings) -> list[dict[str, Any]]:
    """Every event there is now."""
    records = read_topic(settings.kafka.bootstrap_servers, topics.SESSIONS)
    return [json.loads(m.value() or b"") for m in records if m.key() is not None]


def test_a_killed_slot_continues_its_sessions_under_their_ids(kafka: Stack) -> None:
    settings, fleet = kafka.settings, Fleet(kafka.settings)
    fleet.publish(4)
    with fleet.publishing():
        for _ in range(4):
            before = len(events(settings))
            process = spawn(settings)
            try:
                wait_until(
                    "the slot tells of sessions again",
                    lambda before=before: len(events(settings)) > before,  # type: ignore[misc]
                    60,
                )
            finally:
                process.kill()
                process.wait()
    fleet.publish(620, moving=False)
    process = spawn(settings)
    try:
        wait_until(
            "every session is closed",
            lambda: sum(event["event"] == "closed" for event in events(settings)) == len(SENSORS),
            60,
        )
        wait_until(
            "all is committed",
            lambda: not any(row.lag for row in verify_sessions(settings, lambda *_: None)),
            60,
        )
    finally:
        process.kill()
        process.wait()
    of_session: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in events(settings):
        of_session[event["session_id"]].append(event)
    assert sorted({told[0]["sensor_id"].encode() for told in of_session.values()}) == SENSORS
    assert len(of_session) == len(SENSORS)
    for told in of_session.values():
        assert [event["revision"] for event in told] == list(range(1, len(told) + 1))
        assert told[0]["event"] == "started"
        assert {event["event"] for event in told[1:-1]} == {"updated"}
        assert (told[-1]["event"], told[-1]["closed_by"]) == ("closed", "silence")
    rows = verify_sessions(settings, lambda *_: None)
    assert [difference for row in rows for difference in row.differences] == []
    assert sum(row.checked["events"] for row in rows) == sum(map(len, of_session.values()))
