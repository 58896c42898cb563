"""From a request to its work items: list the archive, look at its times, plan each partition."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pipelines
from pipelines import topics
from pipelines.archive.layout import ArchivedHour
from pipelines.archive.object_store import ObjectStore, store_at
from pipelines.backfill.fixed_model import choose_model
from pipelines.backfill.partition_run import PartitionRun
from pipelines.backfill.plan import (
    FileTimes,
    PartitionPlan,
    RawRange,
    plan_partition,
    ranges_by_partition,
)
from pipelines.backfill.raw_archive import file_times, raw_files
from pipelines.backfill.request import PLAN_PATH, Plan, Request, encode_plan
from pipelines.backfill.sensor_choice import SensorChoice
from pipelines.backfill.target import absolute, plan_there
from pipelines.backfill.time_span import TimeSpan
from pipelines.errors import ConfigurationError, DataError
from pipelines.frame_format import SAMPLE_BYTES
from pipelines.json_payload.forms import MAX_COVERED_US
from pipelines.models.store import open_store
from pipelines.operators.ml_inference import MlInference
from pipelines.settings import Settings
from pipelines.source_version import source_version

_READERS: Final = 16
"""Footers read at once; on S3 each is a round trip."""


def request_of(
    settings: Settings,
    archive: str,
    span: TimeSpan,
    choice: SensorChoice,
    chosen_pipelines: Sequence[str],
    model: str | None = None,
) -> Request:
    """Return a request with all that its rows depend on.

    Raises:
        ConfigurationError: no model is stable, or ``model`` is not written as NAME@VERSION.
        NotFoundError: there is no such model.
    """
    chosen = None
    if MlInference.name in chosen_pipelines:
        chosen = choose_model(open_store(settings), settings.inference.model, model)
    return Request(
        archive=absolute(archive),
        from_us=span.from_us,
        to_us=span.to_us,
        sensors=choice.patterns,
        pipelines=tuple(chosen_pipelines),
        model=chosen,
        code_version=source_version((pipelines,)),
        settings={
            "processing": settings.processing.model_dump(),
            "sessions": settings.sessions.model_dump(),
            "inference": settings.inference.model_dump(include={"reset_gap_s", "on_nan"}),
            "backfill": settings.backfill.model_dump(),
            "max_payload_bytes": settings.mqtt.max_payload_bytes,
        },
    )


def prepare(
    request: Request, target_url: str, resume: bool, settings: Settings
) -> list[PartitionRun]:
    """Return the work items of a request, and write its plan into the target.

    Raises:
        ConfigurationError: the target holds something else, or the archive has no raw files.
        DataError: the archive has holes.
        UnavailableError: a store does not answer.
    """
    archive = store_at(request.archive, settings.s3, "the archive's address")
    target = store_at(target_url, settings.s3, "--target")
    plan = plan_there(target, target_url, request, resume)
    ranges = ranges_by_partition(raw_files(archive))
    if not ranges:
        raise ConfigurationError(
            f"{request.archive} holds no files of {topics.RAW}; see that the address is right and "
            f"that the archive runs (`imustream archive status`)"
        )
    if plan is None:
        plan = Plan(request, _plans(request, archive, ranges, settings))
        target.put(PLAN_PATH, encode_plan(plan))
    return [
        PartitionRun(request, one, _of_plan(one, ranges.get(one.partition, [])), target_url)
        for one in plan.partitions
    ]


def _plans(
    request: Request,
    archive: ObjectStore,
    ranges: dict[int, list[RawRange]],
    settings: Settings,
) -> list[PartitionPlan]:
    times = _Times(archive)
    if request.span != TimeSpan():
        times.read([file for of in ranges.values() for one in of for file in one.files])
    samples = settings.mqtt.max_payload_bytes / SAMPLE_BYTES
    reach_us = round(samples / settings.processing.sample_rate_hz * 1e6)
    found = [
        plan_partition(
            partition,
            of_partition,
            request.span,
            times,
            reach_us=max(reach_us, MAX_COVERED_US),
            warm_up_us=round(settings.backfill.warm_up_s * 1e6),
        )
        for partition, of_partition in ranges.items()
    ]
    return [plan for plan in found if plan is not None]


class _Times:
    """The statistics of files, each read once."""

    def __init__(self, archive: ObjectStore) -> None:
        self._archive = archive
        self._known: dict[ArchivedHour, FileTimes] = {}

    def read(self, files: Sequence[ArchivedHour]) -> None:
        with ThreadPoolExecutor(_READERS) as readers:
            found = readers.map(lambda file: file_times(self._archive, file), files)
            self._known = dict(zip(files, found, strict=True))

    def __call__(self, file: ArchivedHour) -> FileTimes:
        return self._known[file]


def _of_plan(plan: PartitionPlan, ranges: Sequence[RawRange]) -> list[RawRange]:
    """Return what a plan reads of the archive, which may have grown since.

    Raises:
        DataError: it has shrunk.
    """
    chosen = [one for one in ranges if plan.start <= one.start and one.end <= plan.end]
    if not chosen or chosen[0].start != plan.start or chosen[-1].end != plan.end:
        raise DataError(
            f"the archive no longer holds offsets {plan.start} to {plan.end - 1} of "
            f"{topics.RAW}/{plan.partition}, which this backfill was planned for; begin a new one"
        )
    return chosen
