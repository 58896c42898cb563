"""What flows from the devices to the archive, and whether the books of each stage balance. Pure.

Each stage keeps cumulative counts in the transactions that hold its outputs (ledgers, and marks of
the sinks). What goes in must have come out, one way or another:

- sensor-processing: frames = transformed + duplicates + heartbeats + dead letters
- session-aggregation: records = windows + ticks + dead letters
- ml-inference: samples = predicted + skipped + not a number

What nothing here tells is null: how many messages wait at the MQTT broker, say. `imustream verify`
proves more, from the data themselves.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from pipelines import topics
from serve.pipelines_report import PipelineReport, Progress

BRIDGE = "bridge"
MQTT = "MQTT"
MONGODB = "MongoDB"
PARQUET = "Parquet"

_LEADS_TO = {
    "sensor-processing": topics.TRANSFORMED,
    "session-aggregation": topics.SESSIONS,
    "ml-inference": topics.PREDICTIONS,
    topics.SESSION_WRITER: MONGODB,
}
_ACCOUNTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "sensor-processing": ("frames", ("transformed", "duplicates", "heartbeats", "dead_letters")),
    "session-aggregation": ("records", ("windows", "ticks", "dead_letters")),
    "ml-inference": ("samples", ("predicted", "skipped", "not_a_number")),
}
_STAGE: dict[str, Any] = {
    "name": "sensor-processing",
    "from": topics.RAW,
    "to": topics.TRANSFORMED,
    "records_per_s": 72.5,
    "samples_per_s": 4_000.0,
    "lag": 3,
    "counts": {"frames": 100, "transformed": 97, "duplicates": 1, "heartbeats": 2},
    "lost": 0,
    "doubled": 0,
}


class Stage(BaseModel):
    """One stage between two places; null is what nobody knows."""

    model_config = ConfigDict(populate_by_name=True, json_schema_extra={"examples": [_STAGE]})

    name: str
    source: str = Field(alias="from", description="A topic, or MQTT.")
    to: str = Field(description="A topic, MongoDB or Parquet.")
    records_per_s: float | None = Field(
        description="Over the last seconds; null of the archive, which writes minutes at once."
    )
    samples_per_s: float | None
    lag: int | None = Field(description="Offsets of `from` that wait.")
    counts: dict[str, int] = Field(description="Cumulative.")
    lost: int | None = Field(description="What went in and did not come out in any way.")
    doubled: int | None = Field(description="What came out and did not go in.")


class FlowReport(BaseModel):
    """All stages, in the order of the flow."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"stages": [_STAGE]}]})

    stages: list[Stage]


class RawWritten(NamedTuple):
    """What the bridge has written to imu-data-all, ticks included; None: unknown."""

    records: int | None
    records_per_s: float | None


def flow_report(
    reports: Sequence[PipelineReport], raw: RawWritten, archive: Sequence[Progress]
) -> FlowReport:
    """Return the flow; ``archive`` is how far the archive is with each partition of each topic."""
    bridge = Stage(
        name=BRIDGE,
        source=MQTT,
        to=topics.RAW,
        records_per_s=raw.records_per_s,
        samples_per_s=None,
        lag=None,
        counts={} if raw.records is None else {"records": raw.records},
        lost=None,
        doubled=None,
    )
    stages = [_stage(report) for report in reports if report.name in _LEADS_TO]
    archived = [report for report in reports if report.name == topics.ARCHIVE]
    files = [
        _archived(report, topic, archive)
        for report in archived
        for topic in topics.SINKS[topics.ARCHIVE]
    ]
    return FlowReport(stages=[bridge, *stages, *files])


def balance(pipeline: str, counts: Mapping[str, int]) -> tuple[int | None, int | None]:
    """Return how much a stage has lost and doubled by its own books; None where they do not say."""
    account = _ACCOUNTS.get(pipeline)
    if account is None or account[0] not in counts:
        return None, None
    left = counts[account[0]] - sum(counts.get(name, 0) for name in account[1])
    return max(left, 0), max(-left, 0)


def _stage(report: PipelineReport) -> Stage:
    lost, doubled = balance(report.name, report.counts)
    inputs = topics.SINKS.get(report.name) or (topics.INPUT_OF[report.name],)
    return Stage(
        name=report.name,
        source=inputs[0],
        to=_LEADS_TO[report.name],
        records_per_s=report.records_per_s if report.partitions else None,
        samples_per_s=report.samples_per_s if "samples" in report.counts else None,
        lag=report.lag,
        counts=report.counts,
        lost=lost,
        doubled=doubled,
    )


def _archived(report: PipelineReport, topic: str, progress: Sequence[Progress]) -> Stage:
    """Return the stage from one topic to Parquet."""
    counts: Counter[str] = Counter()
    for each in progress:
        if each.place.topic == topic:
            counts.update(each.counts)
    lags = [each.lag for each in report.partitions if each.topic == topic]
    known = [lag for lag in lags if lag is not None]
    return Stage(
        name=topics.ARCHIVE,
        source=topic,
        to=PARQUET,
        records_per_s=None,
        samples_per_s=None,
        lag=sum(known) if known and len(known) == len(lags) else None,
        counts=dict(counts),
        lost=None,
        doubled=None,
    )
