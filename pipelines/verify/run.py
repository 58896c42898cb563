"""Verify every stage of the map, from the sensors' publish to the last Parquet file."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from pipelines.control import read_control
from pipelines.errors import ConfigurationError
from pipelines.settings import Settings
from pipelines.topics import ARCHIVE, SESSION_WRITER
from pipelines.verify.documents import verify_documents
from pipelines.verify.parquet import verify_parquet
from pipelines.verify.predictions import verify_predictions
from pipelines.verify.progress import Progress, StageProgress, silent
from pipelines.verify.report_check import ReportedFleet
from pipelines.verify.result import VerifyResult
from pipelines.verify.sensor_processing import PIPELINE, verify_sensor_processing
from pipelines.verify.sessions import verify_sessions
from pipelines.verify.stage_result import StageRow

Stage = Callable[[Settings, Progress], list[StageRow]]

LATER_STAGES: Mapping[str, Stage] = {
    "ml-inference": verify_predictions,
    "session-aggregation": verify_sessions,
    SESSION_WRITER: verify_documents,
    ARCHIVE: verify_parquet,
}
"""By pipeline, in the order of the data; sensor_processing comes before them."""

STAGES = (PIPELINE, *LATER_STAGES)


def verify(
    settings: Settings,
    report: Path | None = None,
    progress: StageProgress = silent,
    stages: Sequence[str] = STAGES,
) -> VerifyResult:
    """Prove what each pipeline made of its input, as far as it says that it came.

    A pipeline that was never started here is left out, with a note.

    Args:
        settings: where the servers are, and the settings that the pipelines ran with.
        report: the simulator's report, to prove publish -> Kafka too.
        progress: is called now and then.
        stages: which of `STAGES` to prove.

    Raises:
        ConfigurationError: there is no such stage.
        UnavailableError: a server does not answer.
        DataError: a report, a ledger or a record cannot be read.
    """
    if unknown := set(stages) - set(STAGES):
        raise ConfigurationError(f"no stage {min(unknown)!r}; there are {', '.join(STAGES)}")
    started_s = time.monotonic()
    fleet = None if report is None else ReportedFleet.read(report)
    result = VerifyResult([])
    if PIPELINE in stages or fleet is not None:
        verify_sensor_processing(settings, result, fleet, partial(progress, PIPELINE))
    started = read_control(settings.kafka).pipelines
    for pipeline, stage in LATER_STAGES.items():
        if pipeline not in stages:
            continue
        if pipeline not in started:
            result.notes.append(f"{pipeline} was never started here: it has nothing to prove")
            continue
        result.stages += stage(settings, partial(progress, pipeline))
    result.seconds = time.monotonic() - started_s
    return result
