"""A simulated fleet against a real Mosquitto: what arrives is what its report says."""

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from topic_reader import wait_until

from cluster.local.ports import free_block
from cluster.local.stack import Stack
from pipelines.errors import UnavailableError
from pipelines.settings import MqttSettings
from simulator import payloads
from simulator.fleet import FleetOptions, Progress, Report, client_ids, run


class Subscriber:
    """Takes in every message of one fleet, through restarts of the broker."""

    def __init__(self, settings: MqttSettings, prefix: str) -> None:
        self._prefix = prefix
        self.messages: Counter[tuple[str, bytes]] = Counter()
        self._subscribed = threading.Event()
        self._client = Client(
            CallbackAPIVersion.VERSION2, f"reader-{prefix}", protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.on_message = self._take
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        expiry = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        expiry.SessionExpiryInterval = 600
        self._client.connect(settings.host, settings.port, clean_start=False, properties=expiry)
        self._client.loop_start()
        self._client.subscribe("imu/+", qos=1)
        assert self._subscribed.wait(30)

    def _take(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        sensor_id = message.topic.removeprefix("imu/")
        if sensor_id.startswith(self._prefix):
            self.messages[sensor_id, bytes(message.payload)] += 1

    def close(self) -> None:
        end = Properties(PacketTypes.DISCONNECT)  # type: ignore[no-untyped-call]
        end.SessionExpiryInterval = 0
        self._client.disconnect(properties=end)
        self._client.loop_stop()


@pytest.fixture
def mqtt(servers: Stack) -> MqttSettings:
    return servers.settings.mqtt


@pytest.fixture
def subscriber(mqtt: MqttSettings, request: pytest.FixtureRequest) -> Iterator[Subscriber]:
    reader = Subscriber(mqtt, prefix_of(request.node.name))
    yield reader
    reader.close()


def prefix_of(test: str) -> str:
    """Sensor ids of a test's own: what other tests publish is none of its business."""
    return "".join(word[0] for word in test.removeprefix("test_").split("_")) + "-"


def everything(options: FleetOptions, report: Report) -> Counter[tuple[str, bytes]]:
    """What the fleet that began when the report says sends, made once more from its seed."""
    again = FleetOptions(**{**vars(options), "start_us": report.started_us})
    return Counter((p.sensor_id, p.payload) for p in payloads(again))


def test_a_large_fleet_with_faults_arrives_message_for_message_as_reported(
    mqtt: MqttSettings, subscriber: Subscriber, request: pytest.FixtureRequest
) -> None:
    options = FleetOptions(
        sensors=120,
        seconds=20,
        sensor_prefix=prefix_of(request.node.name),
        as_fast_as_possible=True,
        lost=0.02,
        bad_crc=0.02,
        cut=0.02,
        duplicates=0.02,
        reorder=0.02,
        heartbeats=0.02,
        reboot=0.5,
        silence=0.2,
    )
    report = run(options, mqtt)
    published = report.messages["published"]
    assert published == report.messages["acknowledged"] == report.expected["frames"]
    wait_until("every message", lambda: subscriber.messages.total() == published)
    assert subscriber.messages == everything(options, report)
    of_each = Counter[str]()
    for (sensor_id, _), count in subscriber.messages.items():
        of_each[sensor_id] += count
    columns = (report.sensors["sensor_id"], report.sensors["messages"])
    assert of_each == dict(zip(*columns, strict=True))


def test_nothing_is_missing_after_mosquitto_restarted_under_the_fleet(
    servers: Stack,
    mqtt: MqttSettings,
    subscriber: Subscriber,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    options = FleetOptions(
        sensors=20,
        seconds=8,
        rate_hz=1_000,
        sensor_prefix=prefix_of(request.node.name),
        sent_log=tmp_path / "sent.parquet",
        ground_truth=tmp_path / "truth.parquet",
    )
    acknowledged: list[int] = [0]

    def note(progress: Progress) -> None:
        acknowledged[0] = progress.acknowledged

    reports: list[Report] = []
    fleet = threading.Thread(target=lambda: reports.append(run(options, mqtt, note)))
    fleet.start()
    wait_until("the fleet to be at work", lambda: acknowledged[0] > 200)
    servers.stop("mosquitto")
    servers.start("mosquitto")
    fleet.join(60)
    report = reports[0]
    expected = everything(options, report)
    assert report.messages["published"] == report.messages["acknowledged"] == expected.total()
    wait_until("every message", lambda: subscriber.messages.keys() >= expected.keys())
    # A PUBLISH whose PUBACK the restart swallowed is sent again: at least once, never less.
    assert subscriber.messages.keys() == expected.keys()

    log = pq.read_table(tmp_path / "sent.parquet")
    assert log.num_rows == expected.total()
    late_us = [
        publish_us - timestamp_us
        for publish_us, timestamp_us in zip(
            log["publish_us"].to_pylist(), log["timestamp_us"].to_pylist(), strict=True
        )
    ]
    assert 63_000 <= min(late_us) < 1_000_000
    truth = pq.read_metadata(tmp_path / "truth.parquet")
    assert truth.num_rows == report.expected["samples_transformed"]


def test_a_small_fleet_has_a_connection_for_each_sensor_and_a_large_one_a_few() -> None:
    assert client_ids(FleetOptions(sensors=50)) == [f"sensor{k}" for k in range(1, 51)]
    assert len(client_ids(FleetOptions(sensors=1_000))) == 4


def test_a_broker_that_is_away_is_named_with_what_to_do() -> None:
    port = free_block(1)
    with pytest.raises(UnavailableError, match=rf"no MQTT broker at 127.0.0.1:{port} .*up"):
        run(FleetOptions(sensors=1, seconds=1), MqttSettings(port=port))


def imustream(*arguments: str, port: int) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "IMUSTREAM_MQTT__PORT": str(port)}
    return subprocess.run(
        [sys.executable, "-m", "cluster.cli", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_prints_and_writes_its_report(mqtt: MqttSettings, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    arguments = ("simulate", "--sensors", "3", "--seconds", "1", "--json", "--report", str(file))
    done = imustream(*arguments, port=mqtt.port)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report == json.loads(file.read_text())
    assert report["messages"]["acknowledged"] == 9
    assert report["expected"]["samples_transformed"] == 9 * 64


def test_the_command_says_in_one_line_what_is_wrong(tmp_path: Path) -> None:
    port = free_block(1)
    for arguments in (
        ("simulate", "--seconds", "1"),
        ("simulate", "--motion", "fly"),
        ("simulate", "--report", str(tmp_path / "nowhere" / "report.json")),
    ):
        done = imustream(*arguments, port=port)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1, done.stderr
