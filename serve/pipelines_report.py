"""What a pipeline does now, worked out from its control record, its ledgers and its input's ends.

Pure: what was read, and when, is given to it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from pydantic import BaseModel, Field

from pipelines.control import Alarm, Control
from pipelines.ledger import Ledger

COMMIT_OVERDUE_US = 15_000_000
"""Every partition gets a tick, and so a commit, each second; without one for this long and with
input waiting, no slot is at work on it."""


class PartitionReport(BaseModel):
    """One input partition of a pipeline."""

    partition: int
    slot: int
    next_offset: int = Field(description="First input offset not yet processed.")
    end_offset: int | None = Field(description="Where the committed input ends; null: unknown.")
    lag: int | None = Field(description="Offsets from next_offset to end_offset.")
    last_commit_us: int = Field(description="Microseconds since the epoch.")


class PipelineReport(BaseModel):
    """One pipeline: what is wanted, what runs, how fast, how far behind."""

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

    pipelines: list[PipelineReport]


class Observed(NamedTuple):
    """What was read of one pipeline; ``seconds`` lie between ``before`` and ``ledgers``."""

    control: Control
    alarms: Sequence[Alarm]
    ledgers: Mapping[int, Ledger]
    before: Mapping[int, Ledger]
    seconds: float
    end_offsets: Mapping[int, int]
    now_us: int


def pipeline_report(seen: Observed) -> PipelineReport:
    """Return the report of one pipeline."""
    partitions = [
        _partition_report(partition, ledger, seen.end_offsets.get(partition))
        for partition, ledger in sorted(seen.ledgers.items())
    ]
    counts = _sum(seen.ledgers)
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


def _partition_report(partition: int, ledger: Ledger, end_offset: int | None) -> PartitionReport:
    return PartitionReport(
        partition=partition,
        slot=ledger.slot,
        next_offset=ledger.next_offset,
        end_offset=end_offset,
        lag=None if end_offset is None else max(end_offset - ledger.next_offset, 0),
        last_commit_us=ledger.committed_us,
    )


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
        each.lag != 0 and seen.now_us - each.last_commit_us > COMMIT_OVERDUE_US
        for each in partitions
    )
    return "starting" if overdue else "running"


def _sum(ledgers: Mapping[int, Ledger]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for ledger in ledgers.values():
        total.update(ledger.counts)
    return dict(total)


def _rate(name: str, before: Mapping[str, int], now: Mapping[str, int], seconds: float) -> float:
    if seconds <= 0:
        return 0.0
    return round(max(now.get(name, 0) - before.get(name, 0), 0) / seconds, 1)
