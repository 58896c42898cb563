"""The bridge between a real Mosquitto and a real Kafka: nothing lost, order kept, in any outage."""

import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from numbered_publisher import NumberedPublisher, arrived, first_occurrences
from topic_reader import read_topic, wait_until

from actors.bridge_loop import BridgeLoop
from cluster.local.stack import Stack
from pipelines.admin import create_topics
from pipelines.partitioner import partition_of
from pipelines.settings import Settings
from pipelines.ticks import decode_tick
from pipelines.topics import DEAD_LETTERS, PARTITIONS, RAW, TICK_TYPE


@contextmanager
def running(settings: Settings) -> Iterator[BridgeLoop]:
    """A bridge in a thread of this process, connected."""
    loop = BridgeLoop(settings, "test")
    thread = threading.Thread(target=loop.run)
    thread.start()
    try:
        wait_until("the bridge to connect", lambda: loop.status()["ready"])
        yield loop
    finally:
        loop.stop()
        thread.join(30)
        assert not thread.is_alive()


def run_bridge(settings: Settings) -> None:
    """What a bridge's process of its own runs."""
    BridgeLoop(settings, "test").run()


@pytest.fixture(scope="module")
def settings(servers: Stack) -> Settings:
    """Settings of the servers, with the topics made and the bridge's session at the broker."""
    create_topics(servers.settings.kafka)
    with running(servers.settings):
        return servers.settings


def fleet(prefix: str, count: int = 20) -> list[str]:
    """Sensor ids that no other test uses."""
    return [f"{prefix}-{k}" for k in range(count)]


def assert_nothing_lost(
    settings: Settings, publisher: NumberedPublisher, *, in_order: bool = True
) -> int:
    """Wait until every message is in Kafka, and see that each sensor's are in order.

    Returns how many were there more than once.
    """
    expected = publisher.expected()
    sensors = list(expected)
    found: dict[str, list[int]] = {}

    def all_there() -> bool:
        found.clear()
        found.update(arrived(read_topic(settings.kafka.bootstrap_servers, RAW), sensors))
        return {s: len(set(n)) for s, n in found.items()} == {
            s: len(n) for s, n in expected.items()
        }

    wait_until(f"{publisher.count} messages in Kafka", all_there)
    if in_order:
        assert {s: first_occurrences(n) for s, n in found.items()} == expected
    return sum(map(len, found.values())) - publisher.count


def test_a_payload_is_in_kafka_as_it_was_published(settings: Settings) -> None:
    sensor = "αισθητήρας 1 😀"
    publisher = NumberedPublisher(settings.mqtt.port, [sensor], rate=1)
    publisher.publish_next()
    publisher.finish()
    with running(settings):
        assert assert_nothing_lost(settings, publisher) == 0
    (record,) = (
        record
        for record in read_topic(settings.kafka.bootstrap_servers, RAW)
        if record.key() == sensor.encode()
    )
    headers = dict(record.headers())
    assert record.value() == b"0 " + b"x" * 200
    assert record.partition() == partition_of(sensor)
    assert headers["mqtt-topic"] == f"imu/{sensor}".encode()
    assert headers["content-type"] == b"application/vnd.imustream.frames"
    assert record.timestamp()[1] == int(headers["received-us"]) // 1000


def test_what_cannot_be_taken_is_in_the_dead_letters_byte_for_byte(settings: Settings) -> None:
    strict = settings.model_copy(
        update={"mqtt": settings.mqtt.model_copy(update={"max_payload_bytes": 100})}
    )
    long_id = "x" * 65
    publisher = NumberedPublisher(settings.mqtt.port, ["too-large", long_id, ""], rate=1)
    with running(strict) as bridge:
        for _ in range(3):
            publisher.publish_next()
        publisher.finish()
        wait_until("three refusals", lambda: bridge.status()["refused"] == 3)
    found = {
        (record.key(), dict(record.headers())["reason"]): record
        for record in read_topic(settings.kafka.bootstrap_servers, DEAD_LETTERS)
    }
    for key, reason, source in (
        (b"too-large", b"payload_too_large", b"imu/too-large"),
        (long_id.encode(), b"bad_topic", f"imu/{long_id}".encode()),
        (None, b"bad_topic", b"imu/"),
    ):
        record = found[key, reason]
        assert record.value() == b"0 " + b"x" * 200
        assert dict(record.headers())["source"] == source


def test_an_outage_of_kafka_only_delays(servers: Stack, settings: Settings) -> None:
    publisher = NumberedPublisher(settings.mqtt.port, fleet("outage"), rate=500)
    with running(settings) as bridge:
        publisher.start()
        wait_until("messages to flow", lambda: bridge.status()["delivered"] > 500)
        servers.stop("kafka")
        wait_until(
            "the bridge to have all it may take",
            lambda: bridge.status()["in_flight"] >= settings.mqtt.receive_maximum,
        )
        servers.start("kafka")
        publisher.finish()
        assert assert_nothing_lost(settings, publisher) == 0
        wait_until("all to be acknowledged", lambda: bridge.status()["in_flight"] == 0)
        status = bridge.status()
    assert status["received"] == status["delivered"] + status["refused"] + status["returned"]
    assert status["connections"] == 1


def test_a_bridge_killed_while_kafka_is_away_loses_nothing(
    servers: Stack, settings: Settings
) -> None:
    publisher = NumberedPublisher(settings.mqtt.port, fleet("both-away", 5), rate=500)
    servers.stop("kafka")
    process = multiprocessing.get_context("spawn").Process(target=run_bridge, args=(settings,))
    process.start()
    publisher.start()
    wait_until("messages to be published", lambda: publisher.count > 2_000)
    process.kill()
    process.join()
    publisher.finish()
    servers.start("kafka")
    with running(settings):
        assert_nothing_lost(settings, publisher)


def test_a_bridge_killed_again_and_again_loses_nothing(settings: Settings) -> None:
    publisher = NumberedPublisher(settings.mqtt.port, fleet("killed"), rate=1_000)
    publisher.start()
    context = multiprocessing.get_context("spawn")
    for k in range(1, 4):
        process = context.Process(target=run_bridge, args=(settings,))
        process.start()
        goal = 1_500 * k

        def flowing(goal: int = goal) -> bool:
            records = read_topic(settings.kafka.bootstrap_servers, RAW)
            return sum(map(len, arrived(records, fleet("killed")).values())) > goal

        wait_until("messages to flow", flowing)
        process.kill()
        process.join()
    publisher.finish()
    with running(settings):
        doubled = assert_nothing_lost(settings, publisher)
    assert doubled <= 3 * settings.mqtt.receive_maximum


def test_a_restart_of_mosquitto_loses_nothing(servers: Stack, settings: Settings) -> None:
    publisher = NumberedPublisher(settings.mqtt.port, fleet("broker"), rate=500)
    with running(settings) as bridge:
        publisher.start()
        wait_until("messages to flow", lambda: bridge.status()["delivered"] > 500)
        servers.stop("mosquitto")
        servers.start("mosquitto")
        wait_until("the bridge to connect again", lambda: bridge.status()["connections"] == 2)
        before = bridge.status()["delivered"]
        wait_until("messages to flow", lambda: bridge.status()["delivered"] > before + 500)
        publisher.finish()
        # What Mosquitto had queued and what devices send again can cross at its restart.
        assert_nothing_lost(settings, publisher, in_order=False)
        assert bridge.status()["sessions_lost"] == 0


def test_what_kafka_refuses_for_good_stays_with_the_broker(settings: Settings) -> None:
    kafka = settings.kafka.model_copy(update={"options": {"message.max.bytes": "1000"}})
    broken = settings.model_copy(update={"kafka": kafka})
    publisher = NumberedPublisher(settings.mqtt.port, ["refused"], rate=1)
    publisher.padding = 2_000
    with running(broken) as bridge:
        for _ in range(10):
            publisher.publish_next()
        publisher.finish()
        wait_until("a second attempt", lambda: bridge.status()["connections"] > 1)
        status = bridge.status()
        assert status["returned"] > 0
        assert status["received"] == (
            status["delivered"] + status["refused"] + status["returned"] + status["in_flight"]
        )
    with running(settings):
        assert assert_nothing_lost(settings, publisher) == 0


def test_ticks_are_in_every_partition_and_go_on_after_a_restart(settings: Settings) -> None:
    for _ in range(2):
        with running(settings) as bridge:
            wait_until("two ticks", lambda: bridge.status()["ticks"] >= 2)
            wait_until("ticks in Kafka", lambda: bridge.status()["delivered"] >= 2)
    ticks: dict[int, list[int]] = {partition: [] for partition in range(PARTITIONS)}
    for record in read_topic(settings.kafka.bootstrap_servers, RAW):
        if dict(record.headers())["content-type"] == TICK_TYPE.encode():
            assert record.key() is None
            ticks[record.partition()].append(decode_tick(record.value()).tick)
    # Where the bridge was killed, a tick may be in some partitions twice.
    expected = sorted(set(ticks[0]))
    assert len(expected) >= 4
    assert {p: first_occurrences(numbers) for p, numbers in ticks.items()} == dict.fromkeys(
        range(PARTITIONS), expected
    )
