"""The local servers: they serve, come back when killed, keep their data, and leave nothing."""

import socket
from pathlib import Path
from typing import Any

import psutil
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from pymongo import MongoClient

from cluster.local.ports import settings_on_free_ports
from cluster.local.stack import Stack
from pipelines.errors import UnavailableError


def _create_topic(stack: Stack, name: str) -> None:
    admin = AdminClient({"bootstrap.servers": stack.settings.kafka.bootstrap_servers})
    admin.create_topics([NewTopic(name, 1)])[name].result(30)


def _produce(stack: Stack, topic: str, value: bytes) -> None:
    errors: list[object] = []
    producer = Producer({"bootstrap.servers": stack.settings.kafka.bootstrap_servers})
    producer.produce(topic, value, on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(30) == 0
    assert errors == [None]


def _values(stack: Stack, topic: str, count: int) -> list[bytes | None]:
    options = {"bootstrap.servers": stack.settings.kafka.bootstrap_servers, "group.id": "test"}
    consumer = Consumer({**options, "auto.offset.reset": "earliest", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, 0)])
    try:
        return [message.value() for message in consumer.consume(count, timeout=30)]
    finally:
        consumer.close()


def test_a_killed_kafka_is_started_again_and_has_kept_its_records(servers: Stack) -> None:
    _create_topic(servers, "kept")
    _produce(servers, "kept", b"before")
    before = servers.pid("kafka")
    servers.kill("kafka")
    servers.wait_for("kafka")
    assert servers.pid("kafka") != before
    assert _values(servers, "kept", 1) == [b"before"]


def test_a_stopped_part_stays_stopped_until_it_is_started(servers: Stack) -> None:
    servers.stop("mosquitto")
    with pytest.raises(UnavailableError, match="mosquitto is not running"):
        servers.pid("mosquitto")
    servers.start("mosquitto")
    assert servers.pid("mosquitto") > 0


def test_the_document_database_keeps_documents_over_a_restart(servers: Stack) -> None:
    uri = servers.settings.mongo.uri.get_secret_value()
    clients: MongoClient[dict[str, Any]] = MongoClient(uri)
    with clients as client:
        client.trial.things.insert_one({"_id": 1, "name": "one"})
    servers.stop("documentdb")
    servers.start("documentdb")
    clients = MongoClient(uri)
    with clients as client:
        assert client.trial.things.find_one({"_id": 1}) == {"_id": 1, "name": "one"}


def test_everything_listens_on_the_loopback_address_only(servers: Stack) -> None:
    pids = set(servers.all_pids())
    listening = [
        connection.laddr.ip
        for connection in psutil.net_connections("inet")
        if connection.pid in pids and connection.status == psutil.CONN_LISTEN and connection.laddr
    ]
    assert len(listening) >= 4
    assert {ip.removeprefix("::ffff:") for ip in listening} == {"127.0.0.1"}


def test_down_leaves_no_process_and_up_finds_the_data_again(tmp_path: Path) -> None:
    stack = Stack(settings_on_free_ports(tmp_path), ("kafka",))
    try:
        assert stack.up() is True
        assert stack.up() is False
        _create_topic(stack, "kept")
        _produce(stack, "kept", b"before")
        pids = stack.all_pids()
        assert stack.down() == 0
        assert not any(psutil.pid_exists(pid) for pid in pids)
        assert stack.is_up() is False
        stack.up()
        assert _values(stack, "kept", 1) == [b"before"]
    finally:
        stack.down()


@pytest.mark.slow
def test_three_brokers_hold_each_record_thrice(tmp_path: Path) -> None:
    stack = Stack(settings_on_free_ports(tmp_path, local={"brokers": 3}), ("kafka",))
    try:
        stack.up()
        assert stack.settings.kafka.replication_factor == 3
        admin = AdminClient({"bootstrap.servers": stack.settings.kafka.bootstrap_servers})
        admin.create_topics([NewTopic("replicated", 1)])["replicated"].result(30)
        _produce(stack, "replicated", b"once")
        partition = admin.list_topics("replicated", timeout=10).topics["replicated"].partitions[0]
        assert sorted(partition.replicas) == [1, 2, 3]
        stack.stop("kafka-1")
        _produce(stack, "replicated", b"with one broker away")
        assert _values(stack, "replicated", 2) == [b"once", b"with one broker away"]
    finally:
        stack.down()


def test_a_port_in_use_is_named_with_its_holder_and_its_setting(tmp_path: Path) -> None:
    settings = settings_on_free_ports(tmp_path)
    with socket.create_server(("127.0.0.1", settings.mqtt.port)):
        stack = Stack(settings, ("mosquitto",))
        with pytest.raises(UnavailableError) as caught:
            stack.up()
    assert str(settings.mqtt.port) in str(caught.value)
    assert f"pid {psutil.Process().pid}" in str(caught.value)
    assert "IMUSTREAM_MQTT__PORT" in str(caught.value)
    assert stack.processes() == []
