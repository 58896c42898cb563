"""How fast the archive writes what the topics hold, against pyarrow alone writing the same rows."""

import contextlib
import io
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from pipelines import topics
from pipelines.archive.archive_run import ArchiveRun
from pipelines.archive.files import writer_options
from pipelines.archive.row_groups import GROUP_ROWS
from pipelines.kafka_clients import (
    LOGGER,
    REQUEST_TIMEOUT_S,
    client_options,
    consumer_options,
    new_consumer,
    watermarks,
)
from pipelines.owned_partition import SlotIdentity
from pipelines.settings import Settings
from pipelines.sinks.sink_offsets import Place, group_of, read_group_marks

_PATIENCE_TURNS = 20
"""Turns without a record after which what is left are markers of transactions."""

Report = Callable[[str], None]


class _Spent(NamedTuple):
    """Seconds by the wall and of this process's CPU."""

    wall_s: float
    cpu_s: float

    @classmethod
    def since(cls, began: "_Spent | None" = None) -> "_Spent":
        """Return what was spent since ``began``, or where the clocks are now."""
        now = cls(time.perf_counter(), time.process_time())
        return now if began is None else cls(now.wall_s - began.wall_s, now.cpu_s - began.cpu_s)

    def figures(self, rows: int) -> dict[str, float | int]:
        """Return the figures of having written so many rows."""
        return {
            "wall_s": round(self.wall_s, 2),
            "cpu_s": round(self.cpu_s, 2),
            "rows_per_s": round(rows / self.wall_s),
            "rows_per_cpu_s": round(rows / self.cpu_s),
        }


def measure_archive(settings: Settings, report: Report) -> dict[str, Any]:
    """Archive all six topics into a folder of its own, then write the same files by pyarrow.

    The archive reads, decodes, sorts, writes and commits, in this process and under a consumer
    group of its own, which is deleted again; the pipelines are left as they are. pyarrow alone
    gets the finished rows of each file in memory and writes them, once with the archive's encodings
    and once by its own defaults with zstd.

    Raises:
        UnavailableError: Kafka does not answer.
        PipelineStoppedError: a record cannot be archived.
    """
    folder = Path(tempfile.mkdtemp(prefix="imustream-bench-archive-"))
    own = settings.model_copy(deep=True)
    own.archive.url = f"file://{folder}"
    name = f"{topics.ARCHIVE}-bench-{uuid.uuid4().hex[:8]}"
    try:
        report("archiving what the topics hold")
        spent, rows = _archive(own, name)
        report("writing the same rows by pyarrow alone")
        files = sorted(folder.rglob("*.parquet"))
        alone, alone_bytes = _all_alone(files, folder, as_ours=True)
        plain, plain_bytes = _all_alone(files, folder, as_ours=False)
        archived_bytes = sum(file.stat().st_size for file in files)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _forget(own, name)
    return {
        "rows": rows,
        "files": len(files),
        "archive": spent.figures(rows) | {"bytes": archived_bytes},
        "pyarrow_alone": alone.figures(rows) | {"bytes": alone_bytes},
        "pyarrow_by_default": plain.figures(rows) | {"bytes": plain_bytes},
        "ratio_wall": round(alone.wall_s / spent.wall_s, 2),
        "ratio_cpu": round(alone.cpu_s / spent.cpu_s, 2),
    }


def _archive(settings: Settings, name: str) -> tuple[_Spent, int]:
    """Run a slot of the archive until all that is there now is written; return the rows too."""
    ends = _ends(settings)
    run = ArchiveRun(settings, SlotIdentity(name, 1, 0, 1, "bench"))
    began = _Spent.since()
    try:
        run.open()
        idle = 0
        while idle < _PATIENCE_TURNS and not run.holds_below(ends):
            idle = 0 if run.turn(0.05) else idle + 1
        run.flush()
        spent = _Spent.since(began)
    finally:
        run.close()
    marks = read_group_marks(settings.kafka, name, list(ends))
    return spent, sum(mark.counts.get("rows", 0) for mark in marks.values())


def _ends(settings: Settings) -> dict[Place, int]:
    places = [Place(t, p) for t in topics.SINKS[topics.ARCHIVE] for p in range(topics.PARTITIONS)]
    consumer = new_consumer(consumer_options(settings.kafka, "imustream-bench"))
    try:
        return {place: watermarks(consumer, *place)[1] for place in places}
    finally:
        consumer.close()


def _all_alone(files: list[Path], folder: Path, as_ours: bool) -> tuple[_Spent, int]:
    """Write the rows of each file again, from memory to the same disk; return the bytes too."""
    total, size = _Spent(0.0, 0.0), 0
    for file in files:
        table: pa.Table = pq.ParquetFile(io.BytesIO(file.read_bytes())).read()
        options: dict[str, Any] = {"compression": "zstd"}
        if as_ours:
            topic = file.relative_to(folder).parts[0]
            options = writer_options(table.schema, topic) | {"row_group_size": GROUP_ROWS}
        target = file.with_suffix(".alone")
        began = _Spent.since()
        pq.write_table(table, target, **options)
        spent = _Spent.since(began)
        total = _Spent(total.wall_s + spent.wall_s, total.cpu_s + spent.cpu_s)
        size += target.stat().st_size
        target.unlink()
    return total, size


def _forget(settings: Settings, name: str) -> None:
    admin = AdminClient(client_options(settings.kafka, "imustream-bench"), logger=LOGGER)
    for answer in admin.delete_consumer_groups([group_of(name)]).values():
        with contextlib.suppress(KafkaException):  # it expires by itself
            answer.result(REQUEST_TIMEOUT_S)
