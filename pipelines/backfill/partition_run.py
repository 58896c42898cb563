"""Replay one partition from the archive into the target, chunk by chunk, resumable."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from pipelines.archive.files import files_of
from pipelines.archive.layout import OffsetRange, path_of
from pipelines.archive.object_store import ObjectStore, store_at
from pipelines.backfill.plan import PartitionPlan, RawRange
from pipelines.backfill.raw_archive import read_records
from pipelines.backfill.replay import Replay, Saved
from pipelines.backfill.request import Request, manifest_path
from pipelines.errors import DataError
from pipelines.models.model_files import Model
from pipelines.models.store import open_store
from pipelines.predictions import ModelId
from pipelines.settings import Settings


class PartitionRun(NamedTuple):
    """One work item."""

    request: Request
    plan: PartitionPlan
    ranges: Sequence[RawRange]
    target: str


def run_partition(item: PartitionRun, settings: Settings) -> Iterator[Saved]:
    """Replay a partition from where its manifest says; yield how far it is, first of all now.

    A chunk's files are a function of its offsets, so a chunk that was cut short is written again
    over what is there. The manifest is written after the files.

    Raises:
        DataError: the archive or the manifest is not what it should be.
        UnavailableError: a file cannot be read or written.
    """
    archive = store_at(item.request.archive, settings.s3, "the archive")
    target = store_at(item.target, settings.s3, "the target")
    partition = item.plan.partition
    saved = read_manifest(target, partition)
    request = item.request
    model = None if request.model is None else _model(request.model, settings)
    replay = Replay(
        item.plan, request.span, request.pipelines, settings, request.code_version, saved, model
    )
    yield replay.saved
    if replay.saved.done:
        return
    records = read_records(archive, item.ranges, replay.saved.next_offset, request.choice)
    for chunk in replay.chunks(records):
        for topic, table in chunk.tables.items():
            offsets = OffsetRange(topic, partition, chunk.start, chunk.end)
            for written in files_of(offsets, [table], len(table)):
                target.put(path_of(written.file), written.content)
        target.put(manifest_path(partition), msgspec.json.encode(chunk.saved))
        yield chunk.saved


def read_manifest(target: ObjectStore, partition: int) -> Saved | None:
    """Return how far a partition is, or None before its first chunk.

    Raises:
        DataError: the manifest cannot be read.
    """
    path = manifest_path(partition)
    try:
        with target.open(path) as file:
            return msgspec.json.decode(file.read(), type=Saved)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise DataError(
            f"the target's {path} is no manifest ({error}); choose another target"
        ) from None


def _model(asked: ModelId, settings: Settings) -> Model:
    model = open_store(settings).load(asked.name, asked.version)
    if model.id != asked:
        raise DataError(
            f"the model store's {asked.name} version {asked.version} has SHA-256 "
            f"{model.id.sha256}, and this backfill was begun with {asked.sha256}"
        )
    return model
