"""What a verification found."""

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pipelines.verify.stage_result import StageRow

Kind = Literal["lost", "doubled", "wrong"]
DIFFERENCES_KEPT = 20
"""Differences named one by one for each partition; the others are counted."""


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it must be.

    ``offset`` is that of the record in imu-data-all, or of the record named in ``what``;
    ``sample`` is a sample number. None where there is none.
    """

    kind: Kind
    what: str
    partition: int
    offset: int | None = None
    sensor_id: str | None = None
    boot: int | None = None
    sample: int | None = None

    def __str__(self) -> str:
        place = f"partition {self.partition}"
        for name in ("offset", "sensor_id", "boot", "sample"):
            value = getattr(self, name)
            if value is not None:
                place += f", {name.removesuffix('_id')} {value}"
        return f"{self.kind}: {self.what} ({place})"


@dataclass
class PartitionRow:
    """The accounts of one partition, below the ledger's ``next_offset``.

    ``lost`` and ``doubled`` count samples, dead letters and windows; ``wrong`` every other
    difference. ``lag`` is the input past ``next_offset``. ``first_offset`` is where the check
    began: above 0 when older data were deleted by retention. ``redriven`` letters are among the
    records, and their bytes and frames among those, once more.
    """

    partition: int
    first_offset: int = 0
    next_offset: int = 0
    records: int = 0
    ticks: int = 0
    bytes: int = 0
    frames: int = 0
    transformed: int = 0
    duplicates: int = 0
    heartbeats: int = 0
    dead_letters: int = 0
    redriven: int = 0
    samples: int = 0
    samples_transformed: int = 0
    samples_duplicate: int = 0
    samples_late: int = 0
    windows: int = 0
    lag: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    unknown: int = 0
    differences: list[Difference] = field(default_factory=list, repr=False)

    def add(self, difference: Difference, count: int = 1) -> None:
        """Count a difference, and keep it if it is one of the first."""
        setattr(self, difference.kind, getattr(self, difference.kind) + count)
        if len(self.differences) < DIFFERENCES_KEPT:
            self.differences.append(difference)


@dataclass
class VerifyResult:
    """All partitions of sensor_processing and of the stages after it, and what was compared with
    the simulator's report.

    ``samples_unreceived`` counts samples that were sent by the report and are not in Kafka;
    ``unproved`` says what of publish -> Kafka could not be compared, though a report was given.
    """

    partitions: list[PartitionRow]
    stages: list["StageRow"] = field(default_factory=list)
    report_differences: list[Difference] = field(default_factory=list)
    samples_unreceived: int = 0
    unproved: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def lost(self) -> int:
        """Samples, dead letters, windows and outputs of the later stages that are missing."""
        return self._all("lost") + sum(d.kind == "lost" for d in self.report_differences)

    @property
    def lost_before_kafka(self) -> int:
        """Samples lost between publish and Kafka; differences, where those tell of no sample."""
        return max(self.samples_unreceived, sum(d.kind == "lost" for d in self.report_differences))

    @property
    def lost_in_processing(self) -> int:
        """Samples, dead letters and windows lost between Kafka and the transformed records."""
        return self._sum("lost")

    @property
    def doubled(self) -> int:
        """Samples, dead letters, windows and outputs of the later stages that are there twice."""
        return self._all("doubled") + sum(d.kind == "doubled" for d in self.report_differences)

    @property
    def wrong(self) -> int:
        """Other differences."""
        return self._all("wrong") + sum(d.kind == "wrong" for d in self.report_differences)

    @property
    def lag(self) -> int:
        """Records of the input that are not yet processed."""
        return self._sum("lag")

    @property
    def samples(self) -> int:
        """Samples that were followed from imu-data-all to their rows."""
        return self._sum("samples_transformed")

    @property
    def ok(self) -> bool:
        """Whether everything that was to be proved is as it must be."""
        return not (self.lost or self.doubled or self.wrong or self.unproved)

    @property
    def differences(self) -> list[Difference]:
        """The first differences of each partition, then those to the report."""
        found = [d for row in self.partitions for d in row.differences]
        found += [d for row in self.stages for d in row.differences]
        return found + self.report_differences

    def as_json(self) -> dict[str, Any]:
        """Return what `imustream verify --json` prints."""
        rows = [_without_differences(row) for row in self.partitions]
        return {
            "ok": self.ok,
            "lost": self.lost,
            "doubled": self.doubled,
            "wrong": self.wrong,
            "lag": self.lag,
            "seconds": round(self.seconds, 3),
            "partitions": rows,
            "stages": [_without_differences(row) for row in self.stages],
            "differences": [asdict(d) | {"text": str(d)} for d in self.differences],
            "unproved": self.unproved,
            "notes": self.notes,
        }

    def _sum(self, name: str) -> int:
        total: int = sum(getattr(row, name) for row in self.partitions)
        return total

    def _all(self, name: str) -> int:
        later: int = sum(getattr(row, name) for row in self.stages)
        return self._sum(name) + later


def _without_differences(row: "PartitionRow | StageRow") -> dict[str, Any]:
    values = asdict(row)
    del values["differences"]
    return values
