"""One backfill from its options to its result."""

from collections.abc import Sequence

from pipelines.backfill.preparation import prepare, request_of
from pipelines.backfill.progress import shown_progress
from pipelines.backfill.ray_run import run_all
from pipelines.backfill.result import Result, result_of
from pipelines.backfill.sensor_choice import SensorChoice
from pipelines.backfill.target import absolute
from pipelines.backfill.time_span import TimeSpan
from pipelines.settings import Settings


def run_backfill(
    settings: Settings,
    *,
    archive: str,
    target: str,
    span: TimeSpan,
    sensors: SensorChoice,
    pipelines: Sequence[str],
    model: str | None,
    parallel: int,
    resume: bool,
) -> Result:
    """Replay a span of an archive into a target.

    Raises:
        ImustreamError: an option is wrong, the archive has holes, or a file could not be read or
            written; what was written stays, and ``resume`` goes on from it.
    """
    # Workers have other working folders than this process.
    settings = settings.model_copy(deep=True)
    settings.models.url = absolute(settings.models.url)
    request = request_of(settings, archive, span, sensors, pipelines, model)
    target = absolute(target)
    items = prepare(request, target, resume, settings)
    with shown_progress([item.plan for item in items]) as show:
        if items:
            run_all(items, settings, parallel, show)
    return result_of(target, items, settings)
