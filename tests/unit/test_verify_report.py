"""The simulator's report, held against what a partition has of its sensors."""

import pytest

from pipelines.settings import ProcessingSettings
from pipelines.verify import VerifyResult
from pipelines.verify.boots import Rules
from pipelines.verify.partition_check import PartitionCheck
from pipelines.verify.report_check import ReportedFleet
from pipelines.verify.result import PartitionRow
from tests.unit.frame_building import START_US

RULES = Rules.of(ProcessingSettings())
SENT = {"frames": 2, "samples": 128, "end_sample": 128, "base_sum": 64}


def compared(*, acknowledged: int | None = 2, frames: int = 2, waiting: int = 0) -> VerifyResult:
    """Two frames sent by one sensor, of which Kafka has ``frames``."""
    fleet = ReportedFleet(
        {
            "started_us": START_US,
            "messages": {"published": 2, "acknowledged": acknowledged},
            "sensors": {"sensor_id": ["sensor1"], "messages": [2]},
            "boots": {"sensor_id": ["sensor1"], **{name: [n] for name, n in SENT.items()}},
        }
    )
    check = PartitionCheck(PartitionRow(0), RULES, START_US)
    check.sensors.number(b"sensor1")
    ((_, sensor),) = check.books()
    sensor.records, sensor.waiting = frames, waiting
    boot = sensor.boot(0, 0, START_US, RULES)
    boot.frames, boot.samples, boot.end_sample = frames, 64 * frames, 64 * frames
    boot.base_sum = 64 * (frames - 1)
    fleet.add(check)
    result = VerifyResult([check.row])
    fleet.compare(result)
    return result


def test_all_that_was_sent_and_is_there_is_proved() -> None:
    result = compared()
    assert (result.ok, result.differences, result.unproved) == (True, [], [])


@pytest.mark.parametrize("acknowledged", [None, 1])
def test_a_report_with_messages_not_acknowledged_is_not_proved(acknowledged: int | None) -> None:
    result = compared(acknowledged=acknowledged)
    assert (result.ok, result.lost) == (False, 0)
    assert result.unproved[0].startswith("publish -> Kafka not proved: the report has 2 messages")


def test_a_report_of_records_not_yet_processed_is_not_proved() -> None:
    result = compared(frames=1, waiting=1)
    assert (result.ok, result.lost) == (False, 0)
    assert result.unproved[0].startswith("publish -> Kafka not proved: 1 sensors of the report")
    assert result.as_json()["unproved"] == result.unproved


def test_what_was_sent_and_is_not_there_is_lost_before_kafka() -> None:
    result = compared(frames=1)
    assert (result.ok, result.lost_before_kafka, result.lost_in_processing) == (False, 64, 0)
