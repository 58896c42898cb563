"""The simulator's report against what is in Kafka: publish -> Kafka."""

import json
from pathlib import Path
from typing import Any

from pipelines.errors import DataError
from pipelines.verify.partition_check import PartitionCheck
from pipelines.verify.result import Difference, VerifyResult

FIELDS = ("frames", "samples", "end_sample", "base_sum")


class ReportedFleet:
    """What the simulator says that the broker has acknowledged, by sensor and boot."""

    def __init__(self, report: dict[str, Any]) -> None:
        self.started_us: int = report["started_us"]
        self._messages: dict[str, Any] = report["messages"]
        self._expected: dict[str, Any] = report["expected"]
        boots = report["boots"]
        self._boots: dict[str, list[dict[str, int]]] = {}
        for i, sensor_id in enumerate(boots["sensor_id"]):
            self._boots.setdefault(sensor_id, []).append({k: boots[k][i] for k in FIELDS})
        self._found: dict[str, list[dict[str, int]]] = {}
        self._partition: dict[str, int] = {}

    @classmethod
    def read(cls, path: Path) -> "ReportedFleet":
        """Read the file that `imustream simulate --report` wrote.

        Raises:
            DataError: it cannot be read, or is something else.
        """
        try:
            return cls(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path} is no report of `imustream simulate --report`: {error}"
            ) from None

    def add(self, check: PartitionCheck) -> None:
        """Take the account of a partition."""
        for sensor_id, _, boot in check.boots():
            if sensor_id in self._boots and boot.samples:
                found = {name: getattr(boot, name) for name in FIELDS}
                self._found.setdefault(sensor_id, []).append(found)
                self._partition[sensor_id] = check.row.partition

    def compare(self, result: VerifyResult) -> None:
        """Report each boot of which not everything that was acknowledged is in Kafka."""
        published, acknowledged = self._messages["published"], self._messages["acknowledged"]
        if acknowledged != published:
            result.notes.append(
                f"the report has {published} messages published and {acknowledged} acknowledged: "
                "what is missing of a boot may be among the others"
            )
        if result.lag:
            result.notes.append(
                f"{result.lag} records are not yet processed, and not compared with the report"
            )
        exact = acknowledged == published and not result.lag
        for sensor_id, boots in self._boots.items():
            found = self._found.get(sensor_id, [])
            for number, sent in enumerate(boots):
                has = found[number] if number < len(found) else dict.fromkeys(FIELDS, 0)
                if has != sent and exact:
                    self._differ(result, sensor_id, number, sent, has)

    def _differ(
        self,
        result: VerifyResult,
        sensor_id: str,
        number: int,
        sent: dict[str, int],
        has: dict[str, int],
    ) -> None:
        differing = [
            f"{name} {sent[name]} sent, {has[name]} in Kafka"
            for name in FIELDS
            if sent[name] != has[name]
        ]
        kind = "lost" if has["samples"] < sent["samples"] else "wrong"
        result.report_differences.append(
            Difference(
                kind,  # type: ignore[arg-type]
                "publish -> Kafka: " + ", ".join(differing),
                self._partition.get(sensor_id, -1),
                None,
                sensor_id,
                number,
            )
        )
