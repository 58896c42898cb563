"""How soon the stream goes on after SIGKILL of each of our processes."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil
from confluent_kafka import Consumer, TopicPartition

from cluster.bench.proof import proof
from cluster.local.processes import marked_processes
from pipelines import topics
from pipelines.batching import RECEIVED_HEADER
from pipelines.errors import UnavailableError
from pipelines.kafka_clients import consumer_options, new_consumer, watermarks
from pipelines.settings import Settings

SENSORS = 200
FLEET_S = 20.0
_BEFORE_S = 5.0
_TIMEOUT_S = 60.0

# What is killed, and the topic in which its work shows first.
_VICTIMS = (("bridge", "ray::Bridge", topics.RAW), ("slots", "ray::Processor", topics.TRANSFORMED))

Report = Callable[[str], None]


def measure_recovery(settings: Settings, stack_id: str, report: Report) -> dict[str, Any]:
    """Kill bridge and slots in turn under load; return the seconds until each is at work again.

    Raises:
        UnavailableError: a process did not come back, or the stack does not run.
    """
    seconds = {}
    for name, title, topic in _VICTIMS:
        report(f"killing the {name}")
        with _fleet(f"recovery-{name}{int(time.time())}-"), _newest(settings, topic) as follow:
            _wait(follow, after_us=0)
            _wait(follow, after_us=time.time_ns() // 1000 + int(_BEFORE_S * 1e6))
            killed_us = _kill(stack_id, title)
            seconds[name] = round((_wait(follow, after_us=killed_us) - killed_us) / 1e6, 2)
    report("proving that nothing is lost or doubled")
    proved = proof(settings, None)
    return {
        "back_at_work_s": seconds,
        "sensors": SENSORS,
        "lost": proved.lost,
        "doubled": proved.doubled,
    }


@contextmanager
def _fleet(prefix: str) -> Iterator[None]:
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "cluster.cli", "simulate", "--sensors", str(SENSORS)),
            *("--seconds", str(FLEET_S), "--sensor-prefix", prefix),
        ],
        stdout=subprocess.DEVNULL,
    )
    try:
        yield
        process.wait(_TIMEOUT_S)
    finally:
        process.kill()


@contextmanager
def _newest(settings: Settings, topic: str) -> Iterator[Consumer]:
    consumer = new_consumer(consumer_options(settings.kafka, "imustream.bench.recovery"))
    partitions = range(topics.PARTITIONS)
    ends = {p: watermarks(consumer, topic, p)[1] for p in partitions}
    consumer.assign([TopicPartition(topic, p, end) for p, end in ends.items()])
    try:
        yield consumer
    finally:
        consumer.close()


def _wait(consumer: Consumer, after_us: int) -> int:
    """Wait for a record of a sensor that was made after a moment; return when it could be read."""
    deadline = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < deadline:
        for message in consumer.consume(1_000, 0.05):
            headers: Any = dict(message.headers() or ())
            if message.error() or headers.get(topics.CONTENT_TYPE) == topics.TICK_TYPE.encode():
                continue
            made_us = int(headers.get(RECEIVED_HEADER, message.timestamp()[1] * 1000))
            if made_us > after_us:
                return time.time_ns() // 1000
    raise UnavailableError(f"nothing new came in {_TIMEOUT_S:g} s; see `imustream status`")


def _kill(stack_id: str, title: str) -> int:
    """Send SIGKILL to the processes that Ray titles so; return when."""
    found = [p for p in marked_processes(stack_id) if _is(p, title)]
    if not found:
        raise UnavailableError(f"no process {title} runs; see `imustream status`")
    for process in found:
        process.kill()
    return time.time_ns() // 1000


def _is(process: psutil.Process, title: str) -> bool:
    try:
        return any(part.startswith(title) for part in process.cmdline())
    except psutil.Error:
        return False
