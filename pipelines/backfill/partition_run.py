"""Replay one partition from the archive into the target, chunk by chunk, resumable."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.backfill.folder import Folder
from pipelines.backfill.output_tables import by_hour
from pipelines.backfill.plan import OffsetRange, PartitionPlan
from pipelines.backfill.raw_archive import read_records
from pipelines.backfill.replay import Replay, Saved
from pipelines.backfill.request import Request, manifest_path
from pipelines.backfill.time_span import hour_folder
from pipelines.errors import DataError
from pipelines.settings import Settings


class PartitionRun(NamedTuple):
    """One work item."""

    request: Request
    plan: PartitionPlan
    ranges: Sequence[OffsetRange]
    target: str


def run_partition(item: PartitionRun, settings: Settings) -> Iterator[Saved]:
    """Replay a partition from where its manifest says; yield how far it is, first of all now.

    A chunk's files are a function of its offsets, so a chunk that was cut short is written again
    over what is there. The manifest is written after the files.

    Raises:
        DataError: the archive or the manifest is not what it should be.
        UnavailableError: a file cannot be read or written.
    """
    archive = Folder(item.request.archive, settings.s3)
    target = Folder(item.target, settings.s3)
    saved = read_manifest(target, item.plan.partition)
    replay = Replay(
        item.plan,
        item.request.span,
        settings.processing,
        settings.backfill,
        item.request.code_version,
        saved,
    )
    yield replay.saved
    if replay.saved.done:
        return
    records = read_records(archive, item.ranges, replay.saved.next_offset, item.request.choice)
    for chunk in replay.chunks(records):
        for topic, table in chunk.tables.items():
            for hour_us, rows in by_hour(topic, table).items():
                name = f"{topic}+{item.plan.partition}+{chunk.start}-{chunk.end}.parquet"
                target.write(f"{topic}/{hour_folder(hour_us)}/{name}", _parquet(rows))
        target.write(manifest_path(item.plan.partition), msgspec.json.encode(chunk.saved))
        yield chunk.saved


def read_manifest(target: Folder, partition: int) -> Saved | None:
    """Return how far a partition is, or None before its first chunk.

    Raises:
        DataError: the manifest cannot be read.
    """
    content = target.read(manifest_path(partition))
    if content is None:
        return None
    try:
        return msgspec.json.decode(content, type=Saved)
    except msgspec.DecodeError as error:
        raise DataError(
            f"{target.url}/{manifest_path(partition)} is no manifest ({error}); "
            f"choose another target"
        ) from None


def _parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())
