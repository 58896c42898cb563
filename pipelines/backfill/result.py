"""What a backfill did, as it stands in the manifests of its target."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipelines.archive.object_store import store_at
from pipelines.backfill.exactness import settle_us
from pipelines.backfill.partition_run import PartitionRun, read_manifest
from pipelines.backfill.time_span import iso
from pipelines.settings import Settings

_SENSORS_SHOWN: Final = 10


@dataclass(frozen=True)
class Result:
    """Rows by topic, and from where they are exact.

    whole:         all is exact: the replay began where the topic does
    exact_from_us: sensors that are exact only from then on (device's clock, microseconds), or,
                   with None, from their next restart
    """

    target: str
    partitions: int
    records: int
    rows: dict[str, int]
    whole: bool
    settle_us: int
    exact_from_us: dict[str, int | None]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return dict(vars(self))

    def text(self) -> str:
        """Return it for people."""
        rows = ", ".join(f"{count:,} of {topic}" for topic, count in sorted(self.rows.items()))
        lines = [
            f"{self.records:,} records of {self.partitions} partitions replayed into "
            f"{self.target}: {rows or 'no rows'}."
        ]
        if self.whole:
            lines.append("Exact: the replay began where the topic does.")
            return "\n".join(lines)
        lines.append(
            "Boots are numbered from the warm-up on. All rows are exact, but for "
            f"{len(self.exact_from_us)} sensors heard for less than {self.settle_us / 1e6:g} s "
            "before:"
            if self.exact_from_us
            else "Boots are numbered from the warm-up on. All rows are exact."
        )
        for sensor_id, from_us in list(self.exact_from_us.items())[:_SENSORS_SHOWN]:
            since = "its next restart" if from_us is None else iso(from_us)
            lines.append(f"  {sensor_id}: exact from {since}")
        if len(self.exact_from_us) > _SENSORS_SHOWN:
            lines.append("  … (--json prints them all)")
        return "\n".join(lines)


def result_of(target: str, items: Sequence[PartitionRun], settings: Settings) -> Result:
    """Read the manifests of a finished backfill."""
    rows: dict[str, int] = {}
    exact_from_us: dict[str, int | None] = {}
    records = 0
    store = store_at(target, settings.s3, "--target")
    for item in items:
        saved = read_manifest(store, item.plan.partition)
        if saved is not None:
            records += saved.records
            exact_from_us.update(saved.exact_from_us)
            for topic, count in saved.rows.items():
                rows[topic] = rows.get(topic, 0) + count
    return Result(
        target=target,
        partitions=len(items),
        records=records,
        rows=rows,
        whole=all(item.plan.whole for item in items),
        settle_us=settle_us(settings.processing),
        exact_from_us=dict(sorted(exact_from_us.items())),
    )
