"""`imustream verify` over a real Kafka: its exit codes, and data that retention has deleted."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from cluster.local.settings_environment import child_environment
from cluster.local.stack import Stack
from cluster.setup.paths import ROOT
from pipelines import topics
from pipelines.admin import create_topics
from pipelines.ledger import LEDGER_KEY, encode
from pipelines.settings import ProcessingSettings, Settings
from pipelines.verify import verify
from tests.conftest import running_stack
from tests.unit.frame_building import frame_on_time, record, tick
from tests.unit.processed_partition import PARTITION, ProcessedPartition


@pytest.fixture(scope="module")
def kafka() -> Iterator[Stack]:
    """A Kafka of its own, in which the pipeline has processed 40 messages of one sensor."""
    with running_stack(("kafka",)) as stack:
        create_topics(stack.settings.kafka)
        records = []
        for k in range(40):
            records.append(record(frame_on_time(64 * k)))
            if k % 10 == 5:
                records.append(record(b"no frame"))
        fill(stack.settings, ProcessedPartition([*records, tick()], ProcessingSettings()))
        yield stack


def fill(settings: Settings, processed: ProcessedPartition) -> None:
    """Write a processed partition into its topics."""
    producer = Producer({"bootstrap.servers": settings.kafka.bootstrap_servers})
    for key, value, received_us in processed.raw:
        headers = [("received-us", b"%d" % received_us)]
        producer.produce(topics.RAW, value, key, PARTITION, headers=headers)
    for topic, stored in processed.outputs.items():
        for key, value, output_headers in stored:
            producer.produce(topic, value, key, PARTITION, headers=list(output_headers))
    changelog = topics.SENSOR_PROCESSING_CHANGELOG
    producer.produce(changelog, encode(processed.ledger()), LEDGER_KEY, PARTITION)
    assert producer.flush(30) == 0


def run_verify(settings: Settings, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command against these settings."""
    return subprocess.run(
        [sys.executable, "-m", "cluster.cli", "verify", *arguments],
        env=child_environment(settings, ROOT),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_right_stream_exits_with_0_and_a_table(kafka: Stack) -> None:
    done = run_verify(kafka.settings)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Nothing is lost, nothing is doubled: 2,560 samples checked" in done.stdout


def test_a_report_of_what_never_arrived_exits_with_1(kafka: Stack, tmp_path: Path) -> None:
    report = tmp_path / "sent.json"
    boot = {"frames": 41, "samples": 41 * 64, "end_sample": 41 * 64, "base_sum": 64 * 820}
    sent = {
        "started_us": 0,
        "messages": {"published": 45, "acknowledged": 45},
        "sensors": {"sensor_id": ["sensor1"], "messages": [45]},
        "boots": {"sensor_id": ["sensor1"], "boot": [0], **{k: [v] for k, v in boot.items()}},
    }
    report.write_text(json.dumps(sent))
    done = run_verify(kafka.settings, "--json", "--report", str(report))
    result = json.loads(done.stdout)
    assert (done.returncode, result["ok"], result["lost"]) == (1, False, 2)
    assert "publish -> Kafka: 45 messages sent, 44 in Kafka" in result["differences"][0]["what"]


def test_what_is_no_report_is_one_line(kafka: Stack, tmp_path: Path) -> None:
    report = tmp_path / "other.json"
    report.write_text("[]")
    done = run_verify(kafka.settings, "--report", str(report))
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "is no report of" in done.stderr


def test_rows_deleted_by_retention_only_shorten_the_check(kafka: Stack) -> None:
    admin = AdminClient({"bootstrap.servers": kafka.settings.kafka.bootstrap_servers})
    (deleted,) = admin.delete_records(
        [TopicPartition(topics.TRANSFORMED, PARTITION, 2)], request_timeout=30
    ).values()
    deleted.result(30)
    result = verify(kafka.settings)
    row = result.partitions[PARTITION]
    assert result.differences == []
    assert 0 < row.first_offset < row.next_offset
    assert 0 < row.transformed < 40
    assert f"below offset {row.first_offset} are deleted by retention" in result.notes[0]


def test_a_broker_that_is_away_is_one_line_and_exit_code_2(kafka: Stack) -> None:
    kafka.stop("kafka")
    done = run_verify(kafka.settings)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert kafka.settings.kafka.bootstrap_servers in done.stderr
