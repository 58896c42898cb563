"""The simulator's report against what is in Kafka: publish -> Kafka."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.errors import DataError
from pipelines.partitioner import partition_of
from pipelines.verify.partition_check import PartitionCheck
from pipelines.verify.result import Difference, Kind, VerifyResult

FIELDS = ("frames", "samples", "end_sample", "base_sum")


class ReportedFleet:
    """What the simulator says that the broker has acknowledged, by sensor and boot."""

    def __init__(self, report: dict[str, Any]) -> None:
        self.started_us: int = report["started_us"]
        self._messages: dict[str, Any] = report["messages"]
        sensors, boots = report["sensors"], report["boots"]
        self._sent: dict[str, int] = dict(
            zip(sensors["sensor_id"], sensors["messages"], strict=True)
        )
        self._boots: dict[str, list[dict[str, int]]] = {}
        for i, sensor_id in enumerate(boots["sensor_id"]):
            self._boots.setdefault(sensor_id, []).append({k: boots[k][i] for k in FIELDS})
        self._found: dict[str, _Found] = {}

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
        for sensor_id, sensor in check.books():
            if sensor_id in self._sent:
                boots = [
                    {name: getattr(sensor.boots[number], name) for name in FIELDS}
                    for number in sorted(sensor.boots)
                    if sensor.boots[number].samples
                ]
                partition = check.row.partition
                self._found[sensor_id] = _Found(partition, sensor.records, sensor.waiting, boots)

    def compare(self, result: VerifyResult) -> None:
        """Report each sensor of which not everything that was acknowledged is in Kafka.

        What cannot be compared goes to ``result.unproved``.
        """
        published, acknowledged = self._messages["published"], self._messages["acknowledged"]
        if acknowledged != published:
            result.unproved.append(
                f"publish -> Kafka not proved: the report has {published} messages published and "
                f"{acknowledged or 0} acknowledged, and does not say which"
            )
            return
        waiting = [sensor_id for sensor_id, found in self._found.items() if found.waiting]
        if waiting:
            result.unproved.append(
                f"publish -> Kafka not proved: {len(waiting)} sensors of the report, such as "
                f"{waiting[0]}, have records not yet processed; verify again when lag is 0"
            )
        nothing = _Found(0, 0, 0, [])
        for sensor_id, messages in self._sent.items():
            found = self._found.get(sensor_id, nothing)._replace(partition=partition_of(sensor_id))
            if not found.waiting:
                self._compare_sensor(result, sensor_id, messages, found)

    def _compare_sensor(
        self, result: VerifyResult, sensor_id: str, messages: int, found: "_Found"
    ) -> None:
        if found.records < messages:
            what = f"{messages} messages sent, {found.records} in Kafka"
            self._differ(result, "lost", what, sensor_id, found, None)
        nothing = dict.fromkeys(FIELDS, 0)
        for number, sent in enumerate(self._boots.get(sensor_id, [])):
            has = found.boots[number] if number < len(found.boots) else nothing
            if has != sent:
                what = ", ".join(
                    f"{name} {sent[name]} sent, {has[name]} in Kafka"
                    for name in FIELDS
                    if sent[name] != has[name]
                )
                result.samples_unreceived += max(0, sent["samples"] - has["samples"])
                kind: Kind = "lost" if has["samples"] < sent["samples"] else "wrong"
                self._differ(result, kind, what, sensor_id, found, number)

    def _differ(
        self,
        result: VerifyResult,
        kind: Kind,
        what: str,
        sensor_id: str,
        found: "_Found",
        boot: int | None,
    ) -> None:
        what = f"publish -> Kafka: {what}"
        result.report_differences.append(
            Difference(kind, what, found.partition, None, sensor_id, boot)
        )


class _Found(NamedTuple):
    """What Kafka has of a sensor since the fleet started."""

    partition: int
    records: int
    waiting: int
    boots: list[dict[str, int]]
