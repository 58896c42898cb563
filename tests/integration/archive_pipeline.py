"""The six topics filled as the pipelines fill them, and the archive run over them."""

import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from cluster.local.settings_environment import child_environment
from cluster.setup.paths import ROOT
from pipelines import predictions, topics
from pipelines.admin import create_topics
from pipelines.archive.archive_run import ArchiveRun
from pipelines.archive.progress import archive_progress
from pipelines.batching import RECEIVED_HEADER
from pipelines.kafka_clients import (
    new_producer,
    retry_transient,
    transactional_options,
)
from pipelines.operators.sensor_processing import SensorProcessing
from pipelines.owned_partition import SlotIdentity
from pipelines.partitioner import partition_of
from pipelines.predictions import ModelId
from pipelines.records import InputBatch
from pipelines.settings import ArchiveSettings, Settings
from pipelines.sinks.sink_offsets import Place, group_of, read_group_marks
from pipelines.slot_loop import SlotLoop
from pipelines.ticks import Tick, encode_tick
from pipelines.verify.parquet import verify_parquet
from simulator.backlog import Backlog, Payload
from simulator.options import FleetOptions

_HERE = Path(__file__).resolve().parent
_FRAMES_A_TRANSACTION = 200
_PATIENCE_S = 60.0
MODEL = ModelId("velocity", "1", "0" * 64)


class ArchiveInput:
    """Writes raw records and what comes of them to the topics, transaction by transaction.

    Each transaction holds, of every partition, the frames, their samples, windows and dead letters
    by sensor_processing itself, made-up predictions of those samples, a session's event for each
    window, and a tick in every topic that has ticks. Some transactions are aborted.
    """

    def __init__(self, settings: Settings, transactional_id: str) -> None:
        create_topics(settings.kafka)
        self._operator = SensorProcessing(settings.processing)
        self._states = {p: self._operator.new_state(p) for p in range(topics.PARTITIONS)}
        self._producer = new_producer(transactional_options(settings.kafka, transactional_id, 30))
        self._producer.init_transactions(_PATIENCE_S)
        self._transactions = 0
        self._ticks = itertools.count(1_700_000_000)
        self._raw_offset = dict.fromkeys(range(topics.PARTITIONS), 0)

    def write(self, fleet: FleetOptions) -> None:
        """Write what a fleet sends, as fast as it goes."""
        for payloads in _chunks(iter(Backlog(fleet)), _FRAMES_A_TRANSACTION):
            self.write_payloads(payloads)

    def write_payloads(self, payloads: list[Payload]) -> None:
        """Write one transaction; every seventh is tried once and aborted before."""
        self._transactions += 1
        if self._transactions % 7 == 0:
            self._producer.begin_transaction()
            self._produce(topics.TRANSFORMED, 3, None, b"aborted", topics.ARROW_TYPE)
            self._producer.flush()
            self._producer.abort_transaction()
        self._producer.begin_transaction()
        of_partition: dict[int, list[Payload]] = {p: [] for p in range(topics.PARTITIONS)}
        for payload in payloads:
            of_partition[partition_of(payload.sensor_id)].append(payload)
        tick = next(self._ticks)
        for partition, mine in of_partition.items():
            self._write_partition(partition, mine, tick)
        self._producer.commit_transaction(_PATIENCE_S)

    def _write_partition(self, partition: int, payloads: list[Payload], tick: int) -> None:
        records: list[tuple[bytes | None, bytes, int]] = [
            (p.sensor_id.encode(), p.payload, p.time_us) for p in payloads
        ]
        tick_us = tick * 1_000_000
        records.append((None, encode_tick(Tick(tick, tick_us)), tick_us))
        first = self._raw_offset[partition]
        self._raw_offset[partition] += len(records)
        for key, value, received_us in records:
            kind = topics.TICK_TYPE if key is None else topics.FRAMES_TYPE
            self._produce(topics.RAW, partition, key, value, kind, received_us)
        batch = InputBatch(
            [key for key, _, _ in records],
            [value for _, value, _ in records],
            np.arange(first, first + len(records)),
            np.array([received_us for _, _, received_us in records], np.int64),
        )
        for output in self._operator.step(self._states[partition], batch):
            value = bytes(output.value)
            self._producer.produce(
                output.topic, value, output.key, partition, headers=list(output.headers)
            )
            if output.topic == topics.TRANSFORMED and value[:1] != b"{":
                self._produce(
                    topics.PREDICTIONS, partition, None, _predicted(value), topics.ARROW_TYPE
                )
            if output.topic == topics.AGGREGATED and output.key is not None:
                event = _session_event(orjson.loads(value))
                self._produce(topics.SESSIONS, partition, output.key, event, topics.JSON_TYPE)
        for topic in (topics.PREDICTIONS, topics.SESSIONS):
            value = encode_tick(Tick(tick, tick_us))
            self._produce(topic, partition, None, value, topics.TICK_TYPE)

    def _produce(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes,
        content_type: str,
        received_us: int | None = None,
    ) -> None:
        headers: list[Any] = [(topics.CONTENT_TYPE, content_type.encode())]
        if received_us is not None:
            headers.append((RECEIVED_HEADER, b"%d" % received_us))
        self._producer.produce(topic, value, key, partition, headers=headers)

    @contextmanager
    def writing(self, fleet: FleetOptions, pause_s: float) -> Iterator[None]:
        """Write a fleet without end, a transaction after each pause, all the while."""
        over = threading.Event()

        def write() -> None:
            for payloads in _chunks(iter(Backlog(fleet)), _FRAMES_A_TRANSACTION):
                self.write_payloads(payloads)
                if over.wait(pause_s):
                    return

        thread = threading.Thread(target=write)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def _chunks(payloads: Iterator[Payload], size: int) -> Iterator[list[Payload]]:
    while chunk := list(itertools.islice(payloads, size)):
        yield chunk


def _predicted(stream: bytes) -> bytes:
    """Predictions for the samples of a stream, any numbers."""
    samples = pa.ipc.open_stream(stream).read_all()
    table = samples.select(["sensor_id", "boot", "sample_index", "timestamp_us"])
    velocity = samples["accl_mag"]
    share = pa.array(np.linspace(0, 1, len(table), dtype=np.float32))
    schema = predictions.SCHEMA.with_metadata(MODEL.metadata())
    table = pa.Table.from_arrays([*table.columns, velocity, share], schema=schema)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def _session_event(window: dict[str, Any]) -> bytes:
    """An event of a session with this one window."""
    return orjson.dumps(
        {
            "event": "started",
            "session_id": f"{window['sensor_id']}_{window['start_us']}",
            "sensor_id": window["sensor_id"],
            "revision": 1,
            "state": "open",
            "start_us": window["start_us"],
            "end_us": window["end_us"],
            "windows": 1,
            "samples": window["samples"],
            "gaps": window["gaps"],
            "late": window["late"],
            "acc_mag_max": window["acc_mag"]["max"],
            "gyro_mag_max": window["gyro_mag"]["max"],
            "velocity_windows": 0,
            "velocity_max": None,
            "distance_m": None,
            "first_boot": window["boot"],
            "last_boot": window["boot"],
            "closed_by": None,
            "through_offset": window["through_offset"],
        }
    )


def identity(generation: int = 1, slot: int = 0, slots: int = 1) -> SlotIdentity:
    """A slot of the archive."""
    return SlotIdentity(topics.ARCHIVE, generation, slot, slots, "test")


@contextmanager
def archiving(settings: Settings, who: SlotIdentity | None = None) -> Iterator[SlotLoop]:
    """Run a slot of the archive in a thread of this process."""
    who = who or identity()
    loop = SlotLoop(lambda: ArchiveRun(settings, who), settings, who)
    thread = threading.Thread(target=loop.run)
    thread.start()
    try:
        yield loop
    finally:
        loop.stop()
        thread.join()


def spawn(
    settings: Settings, who: SlotIdentity | None = None, step: str = ""
) -> "subprocess.Popen[bytes]":
    """Run a slot in a process of its own, which dies at ``step``; the caller ends it."""
    who = who or identity()
    arguments = [str(who.generation), str(who.slot), str(who.slots), step]
    return subprocess.Popen(
        [sys.executable, str(_HERE / "run_archive_slot.py"), *arguments],
        env={**os.environ, **child_environment(settings, ROOT)},
        cwd=ROOT,
    )


def new_archive(settings: Settings, url: str, **archive: object) -> Settings:
    """Forget how far an archive was, and return settings of one at ``url`` that writes often."""
    admin = AdminClient({"bootstrap.servers": settings.kafka.bootstrap_servers})
    group = group_of(topics.ARCHIVE)
    try:
        # A broker that has just started does not yet know itself to be the group's coordinator.
        retry_transient(lambda: admin.delete_consumer_groups([group])[group].result(10))
    except KafkaException as error:
        assert error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND, error
    bounds = {"max_rows": 20_000, "max_staleness_s": 1.0, **archive, "url": url}
    chosen = settings.model_copy(deep=True)
    chosen.archive = ArchiveSettings(**bounds)
    return chosen


def all_archived(settings: Settings) -> bool:
    """Whether no record waits, and every partition was committed."""
    progress = archive_progress(settings)
    return all(one.oldest_us is None and one.committed_us is not None for one in progress)


def proved(settings: Settings) -> dict[str, int]:
    """Verify the archive; return how many rows of each topic were compared."""
    rows = verify_parquet(settings, lambda _partition, _done, _total: None)
    for row in rows:
        assert (row.lost, row.doubled, row.wrong) == (0, 0, 0), row.differences
    compared: dict[str, int] = {}
    for row in rows:
        topic = row.stage.removeprefix("archive of ")
        compared[topic] = compared.get(topic, 0) + row.checked.get("compared", 0)
    return compared


def committed_us(settings: Settings) -> set[int]:
    """When the partitions were last committed."""
    places = [Place(topic, p) for topic in topics.SINKS[topics.ARCHIVE] for p in range(10)]
    marks = read_group_marks(settings.kafka, topics.ARCHIVE, places)
    return {mark.committed_us for mark in marks.values()}
