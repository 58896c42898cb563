"""A slot of ml_inference on a real Kafka: killed and switched, every sample is predicted once."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest

from cluster.local.settings_environment import child_environment, without_settings
from cluster.local.stack import Stack
from cluster.setup.paths import ROOT
from pipelines import topics
from pipelines.admin import create_topics
from pipelines.changelog import read_changelog
from pipelines.control import Control, write_record
from pipelines.errors import UnavailableError
from pipelines.kafka_clients import new_producer, producer_options
from pipelines.models.followed_model import FollowedModel
from pipelines.models.promotion import promote
from pipelines.models.store import open_store
from pipelines.partitioner import partition_of
from pipelines.predictions import ModelId, model_of
from pipelines.settings import Settings
from pipelines.ticks import Tick, encode_tick
from pipelines.verify.predictions import verify_predictions
from tests.conftest import running_stack
from tests.integration.topic_reader import read_topic, wait_until
from tests.small_model import small_model_files
from tests.unit.transformed_building import rows_on_time, stream

SENSORS = [f"sensor{i}" for i in range(30)]
SAMPLES = 64
ROUNDS = 80
_HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def kafka() -> Iterator[Stack]:
    """Kafka alone, since the topics must hold what this file writes and nothing else."""
    with running_stack(("kafka",)) as stack:
        create_topics(stack.settings.kafka)
        store = open_store(stack.settings)
        for version, units in (("1", 8), ("2", 4)):
            files = small_model_files(version=version, hidden_units=units, velocity_bias=2.0)
            store.push("velocity", version, files)
        promote(store, "velocity", "1", "stable")
        yield stack


def _feed(settings: Settings, first: int, rounds: int) -> None:
    """Give every sensor its next samples, a tick after each round; some come too late."""
    producer = new_producer(producer_options(settings.kafka, "feed"))
    of_partition: dict[int, list[str]] = {p: [] for p in range(topics.PARTITIONS)}
    for sensor_id in SENSORS:
        of_partition[partition_of(sensor_id)].append(sensor_id)
    for number in range(first, first + rounds):
        for partition, sensor_ids in of_partition.items():
            start = number * SAMPLES
            rows = [r for s in sensor_ids for r in rows_on_time(start, start + SAMPLES, s)]
            values = [stream(rows)] if rows else []
            if sensor_ids and number % 10 == 9:
                values.append(stream(rows_on_time(start - 20, start + 20, sensor_ids[0])))
            if number % 40 == 7:
                values.append(b"no samples at all")
            values.append(encode_tick(Tick(number, number)))
            for value in values:
                producer.produce(topics.TRANSFORMED, value, partition=partition)
        producer.poll(0)
    assert producer.flush(60) == 0


@contextmanager
def _feeding(settings: Settings) -> Iterator[None]:
    """Feed all the while, at about twice the pace of devices."""
    over = threading.Event()

    def feed() -> None:
        for number in range(ROUNDS):
            _feed(settings, number, 1)
            over.wait(0.1)

    thread = threading.Thread(target=feed)
    thread.start()
    try:
        yield
    finally:
        thread.join()
        over.set()


@contextmanager
def _slot(settings: Settings, slot: int = 0, slots: int = 1) -> Iterator[None]:
    """Run a slot in a process of its own, and end that by SIGKILL."""
    environment = {
        **without_settings(dict(os.environ)),
        **child_environment(settings, ROOT),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, str(_HERE / "run_inference_slot.py"), str(slot), str(slots)]
    process = subprocess.Popen(command, env=environment, cwd=ROOT)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _predicted(settings: Settings) -> int:
    saved = read_changelog(
        settings.kafka, topics.ML_INFERENCE_CHANGELOG, list(range(topics.PARTITIONS))
    )
    return sum(s.ledger.counts["predicted"] for s in saved.values() if s.ledger is not None)


def test_sudden_deaths_and_a_switch_of_the_model_lose_and_double_nothing(kafka: Stack) -> None:
    settings = kafka.settings
    with _feeding(settings):
        for kill in range(4):
            before = _predicted(settings)
            with _slot(settings):
                if kill == 2:
                    promote(open_store(settings), "velocity", "2", "stable")
                wait_until(
                    "the slot commits",
                    lambda before=before: _predicted(settings) > before + 3_000,  # type: ignore[misc]
                )
    total = len(SENSORS) * SAMPLES * ROUNDS
    with _slot(settings):
        wait_until("every sample is predicted", lambda: _predicted(settings) >= total)
    assert _predicted(settings) == total
    _assert_exact(settings)
    rows = verify_predictions(settings, lambda partition, done, total: None, sensors=100)
    for row in rows:
        assert (row.lost, row.doubled, row.wrong, row.lag) == (0, 0, 0, 0), row.differences
        assert row.checked["values"] == row.checked["predicted"]
    assert sum(row.checked["skipped"] for row in rows) == ROUNDS // 10 * _partitions_used() * 40
    assert sum(row.checked["dead_letters"] for row in rows) == 20


def _partitions_used() -> int:
    return len({partition_of(sensor_id) for sensor_id in SENSORS})


def _assert_exact(settings: Settings) -> None:
    """Each sensor's samples once and in order, first by the old model, then by the new one."""
    found: dict[str, list[int]] = {sensor_id: [] for sensor_id in SENSORS}
    versions: dict[str, list[str]] = {sensor_id: [] for sensor_id in SENSORS}
    for message in read_topic(settings.kafka.bootstrap_servers, topics.PREDICTIONS):
        value = message.value() or b""
        if value[:1] == b"{":
            continue
        table = pa.ipc.open_stream(value).read_all()
        version = model_of(table.schema.metadata).version
        ids, numbers = table["sensor_id"].to_pylist(), table["sample_index"].to_pylist()
        for sensor_id, number in zip(ids, numbers, strict=True):
            found[sensor_id].append(number)
            if versions[sensor_id][-1:] != [version]:
                versions[sensor_id].append(version)
    for sensor_id in SENSORS:
        assert found[sensor_id] == list(range(SAMPLES * ROUNDS))
        assert versions[sensor_id] == ["1", "2"]


def test_a_version_that_is_not_ready_leaves_the_one_before_in_use(kafka: Stack) -> None:
    settings = kafka.settings.model_copy(deep=True)
    settings.inference.model, settings.inference.poll_s = "followed", 0.1
    store = open_store(settings)
    for version in ("1", "2"):
        store.push("followed", version, small_model_files(name="followed", version=version))
    promote(store, "followed", "1", "stable")
    problems: list[str | None] = []
    broken = {"2"}

    def warm(model: ModelId) -> None:
        if model.version in broken:
            raise UnavailableError("no replica took it")

    models = FollowedModel(settings, "followed-pipeline", warm, problems.append)

    def runs(version: str) -> bool:
        wanted = models.wanted()
        return wanted is not None and wanted.id.version == version

    wait_until("the stable version is ready", lambda: runs("1"))
    promote(store, "followed", "2", "stable")
    wait_until("the problem is told", lambda: problems[-1] is not None)
    assert problems[-1] == "the wanted model is not ready, 1 goes on: no replica took it"
    assert runs("1")
    broken.clear()
    wait_until("the new version is ready", lambda: runs("2"))
    wait_until("the problem is over", lambda: problems[-1] is None)


def test_the_control_record_names_the_channel(kafka: Stack) -> None:
    settings = kafka.settings.model_copy(deep=True)
    settings.inference.model, settings.inference.poll_s = "channelled", 0.1
    store = open_store(settings)
    for version in ("1", "2"):
        store.push("channelled", version, small_model_files(name="channelled", version=version))
    promote(store, "channelled", "1", "stable")
    promote(store, "channelled", "2", "candidate")
    models = FollowedModel(settings, "channelled-pipeline", lambda _: None, lambda _: None)
    wait_until("the stable version is ready", lambda: models.wanted() is not None)
    assert models.get(_wanted(models)).id.version == "1"
    record = Control("channelled-pipeline", 1, 1, paused=False, model_channel="candidate")
    write_record(settings.kafka, record)
    wait_until("the candidate is ready", lambda: _wanted(models).version == "2")


def _wanted(models: FollowedModel) -> ModelId:
    wanted = models.wanted()
    assert wanted is not None
    return wanted.id
