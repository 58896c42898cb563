"""What a pipeline does now, worked out from its control record, its progress and its inputs' ends.

Pure: what was read, and when, is given to it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from pipelines.control import Alarm, Control
from pipelines.sinks.sink_offsets import Place
from pipelines.topics import DEAD_LETTERS, RAW

COMMIT_OVERDUE_US = 15_000_000
"""Every partition gets a tick, and so a commit, each second; without one for this long and with
input waiting, no slot is at work on it."""

_SINGLE_RECORDS = frozenset({RAW, DEAD_LETTERS})
"""Topics that are written outside transactions too."""

_PARTITION: dict[str, Any] = {
    "topic": "imu-data-all",
    "partition": 0,
    "slot": 0,
    "next_offset": 5_000,
    "end_offset": 5_003,
    "lag": 3,
    "last_commit_us": 1_767_225_600_000_000,
}
_PIPELINE: dict[str, Any] = {
    "name": "sensor-processing",
    "generation": 3,
    "slots": 1,
    "running_slots": 1,
    "paused": False,
    "state": "running",
    "alarm": None,
    "lag": 3,
    "records_per_s": 72.5,
    "samples_per_s": 4_000.0,
    "last_commit_us": 1_767_225_600_000_000,
    "counts": {"records": 5_000, "samples": 256_000},
    "partitions": [_PARTITION],
}


class PartitionReport(BaseModel):
    """One input partition of a pipeline."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PARTITION]})

    topic: str
    partition: int
    slot: int
    next_offset: int = Field(description="First input offset not yet processed.")
    end_offset: int | None = Field(description="Where the committed input ends; null: unknown.")
    lag: int | None = Field(
        description="Offsets from next_offset to end_offset; 0 where that is a transaction's "
        "marker alone."
    )
    last_commit_us: int = Field(description="Microseconds since the epoch.")


class PipelineReport(BaseModel):
    """One pipeline: what is wanted, what runs, how fast, how far behind."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PIPELINE]})

    name: str
    generation: int
    slots: int = Field(description="Slots wanted.")
    running_slots: int
    paused: bool
    state: Literal["running", "paused", "stopped", "starting"]
    alarm: str | None = Field(description="Why a slot stopped; null where none did.")
    lag: int | None
    records_per_s: float = Field(description="Over the last five seconds.")
    samples_per_s: float = Field(description="Over the last five seconds.")
    last_commit_us: int | None = Field(description="Microseconds since the epoch.")
    counts: dict[str, int] = Field(description="Cumulative, over all partitions.")
    partitions: list[PartitionReport]


class PipelinesReport(BaseModel):
    """All pipelines."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"pipelines": [_PIPELINE]}]})

    pipelines: list[PipelineReport]


class Progress(NamedTuple):
    """How far a pipeline is with one input partition, from its ledger or its mark."""

    place: Place
    slot: int
    next_offset: int
    committed_us: int
    counts: Mapping[str, int]


class Observed(NamedTuple):
    """What was read of one pipeline.

    ``seconds`` lie between ``before`` and ``progress``; ``overdue_us``: how long it may leave
    waiting input alone and still count as running.
    """

    control: Control
    alarms: Sequence[Alarm]
    progress: Sequence[Progress]
    before: Sequence[Progress]
    seconds: float
    end_offsets: Mapping[Place, int]
    now_us: int
    overdue_us: int = COMMIT_OVERDUE_US


def pipeline_report(seen: Observed) -> PipelineReport:
    """Return the report of one pipeline."""
    partitions = [
        _partition_report(each, seen.end_offsets.get(each.place))
        for each in sorted(seen.progress, key=lambda each: each.place)
    ]
    counts = _sum(seen.progress)
    before = _sum(seen.before)
    commits = [each.last_commit_us for each in partitions]
    lags = [each.lag for each in partitions if each.lag is not None]
    return PipelineReport(
        name=seen.control.pipeline,
        generation=seen.control.generation,
        slots=seen.control.slots,
        running_slots=seen.control.running_slots,
        paused=seen.control.paused,
        state=_state(seen, partitions),
        alarm="; ".join(f"slot {alarm.slot}: {alarm.message}" for alarm in seen.alarms) or None,
        lag=sum(lags) if len(lags) == len(partitions) else None,
        records_per_s=_rate("records", before, counts, seen.seconds),
        samples_per_s=_rate("samples", before, counts, seen.seconds),
        last_commit_us=max(commits, default=None),
        counts=counts,
        partitions=partitions,
    )


def _partition_report(progress: Progress, end_offset: int | None) -> PartitionReport:
    return PartitionReport(
        topic=progress.place.topic,
        partition=progress.place.partition,
        slot=progress.slot,
        next_offset=progress.next_offset,
        end_offset=end_offset,
        lag=None if end_offset is None else _lag(progress, end_offset),
        last_commit_us=progress.committed_us,
    )


def _lag(progress: Progress, end_offset: int) -> int:
    """Return the offsets to go; a transaction's record is never alone: its marker follows."""
    lag = max(end_offset - progress.next_offset, 0)
    return 0 if lag == 1 and progress.place.topic not in _SINGLE_RECORDS else lag


def _state(
    seen: Observed, partitions: Sequence[PartitionReport]
) -> Literal["running", "paused", "stopped", "starting"]:
    if seen.alarms:
        return "stopped"
    if seen.control.paused:
        return "paused"
    if seen.control.running_slots < seen.control.slots or not partitions:
        return "starting"
    overdue = any(
        each.lag != 0 and seen.now_us - each.last_commit_us > seen.overdue_us for each in partitions
    )
    return "starting" if overdue else "running"


def _sum(progress: Sequence[Progress]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in progress:
        total.update(each.counts)
    return dict(total)


def _rate(name: str, before: Mapping[str, int], now: Mapping[str, int], seconds: float) -> float:
    if seconds <= 0:
        return 0.0
    return round(max(now.get(name, 0) - before.get(name, 0), 0) / seconds, 1)
