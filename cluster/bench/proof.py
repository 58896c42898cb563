"""That a benchmark lost and doubled nothing, proved from the topics."""

from collections.abc import Sequence
from pathlib import Path

from pipelines.errors import PipelineStoppedError
from pipelines.settings import Settings
from pipelines.verify import VerifyResult, verify
from pipelines.verify.sensor_processing import PIPELINE


def proof(
    settings: Settings, report: Path | None, stages: Sequence[str] = (PIPELINE,)
) -> VerifyResult:
    """Return what is lost and doubled in these stages.

    Raises:
        PipelineStoppedError: something else is wrong, so that the figures mean nothing.
    """
    result = verify(settings, report, stages=stages)
    if not result.ok and not result.lost and not result.doubled:
        first = "; ".join([*map(str, result.differences), *result.unproved][:1])
        raise PipelineStoppedError(f"verify found a difference, run `imustream verify`: {first}")
    return result
