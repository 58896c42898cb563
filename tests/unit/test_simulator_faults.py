"""Each fault happens as often as asked, is counted as sent, and is what a pipeline finds."""

import numpy as np
import pytest

from pipelines.frame_scanner import scan_payload
from pipelines.operators.sensor_processing import SensorProcessing
from pipelines.records import InputBatch
from pipelines.settings import ProcessingSettings
from pipelines.topics import DEAD_LETTERS
from simulator import Backlog, FleetOptions, Payload, Report

START_US = 1_760_000_000_000_000
SENSORS = 16
EVERY_FAULT = {
    "lost": 0.03,
    "bad_crc": 0.03,
    "cut": 0.03,
    "duplicates": 0.05,
    "reorder": 0.05,
    "heartbeats": 0.05,
    "reboot": 0.5,
    "silence": 0.3,
    "future_clock": 0.1,
    "clock_offset_s": 20.0,
    "clock_drift_ppm": 200.0,
}


def sent(**options: object) -> tuple[list[Payload], Report]:
    """Everything a fleet sends in order of time, and its report."""
    defaults = {"sensors": SENSORS, "seconds": 60, "start_us": START_US}
    backlog = Backlog(FleetOptions(**defaults | options))  # type: ignore[arg-type]
    return list(backlog), backlog.report()


def bases(taken: list[Payload], sensor_id: str) -> list[int]:
    """The base sample numbers of a sensor's good frames in the order sent."""
    frames = [scan_payload(p.payload)[0] for p in taken if p.sensor_id == sensor_id]
    return [frame[0].base_sample_number for frame in frames if frame]


@pytest.mark.parametrize("fault", ["lost", "bad_crc", "cut", "duplicates", "reorder"])
def test_a_fault_strikes_the_share_of_frames_asked_for(fault: str) -> None:
    _, report = sent(**{fault: 0.1})
    name = "reordered" if fault == "reorder" else fault
    total = sum(sum(report.sensors[k]) for k in ("good", "reordered", "bad_crc", "cut", "lost"))
    assert report.faults[name] == pytest.approx(0.1 * total, rel=0.2)
    assert all(not count for key, count in report.faults.items() if key != name)


def test_a_fleet_without_faults_sends_every_frame_once() -> None:
    taken, report = sent()
    assert len(taken) == SENSORS * int(60 / 0.32) == report.expected["transformed"]
    assert report.messages["bytes"] == sum(len(p.payload) for p in taken)
    assert not any(report.faults.values())


def test_bad_checksums_and_cut_frames_become_one_dead_letter_each() -> None:
    taken, report = sent(bad_crc=0.2, cut=0.2)
    reasons = [dead.reason for p in taken for dead in scan_payload(p.payload)[1]]
    letters = report.expected["dead_letters"]
    assert isinstance(letters, dict)
    assert reasons.count("crc_mismatch") == letters["crc_mismatch"] > 0
    assert reasons.count("truncated_frame") == letters["truncated_frame"] > 0
    assert len(reasons) == letters["crc_mismatch"] + letters["truncated_frame"]


def test_a_reordered_frame_comes_after_its_successor_and_nothing_is_missing() -> None:
    taken, report = sent(reorder=0.1)
    moved = 0
    for sensor_id in report.sensors["sensor_id"]:
        order = bases(taken, str(sensor_id))
        assert sorted(order) == [64 * k for k in range(len(order))]
        moved += int((np.diff(order) < 0).sum())
    assert moved > 0.5 * report.faults["reordered"]


def test_a_reboot_restarts_the_numbering_while_time_goes_on_and_a_boot_lasts() -> None:
    taken, report = sent(reboot=1.0)
    assert report.faults["reboots"] > SENSORS * 3
    for sensor_id in report.sensors["sensor_id"]:
        order = bases(taken, str(sensor_id))
        restarts = [k for k, base in enumerate(order) if base == 0]
        assert (np.diff(restarts) * 0.32 > 5).all()
        ours = [p for p in taken if p.sensor_id == sensor_id]
        times = [scan_payload(p.payload)[0][0].timestamp_us for p in ours]
        assert set(np.diff(times).tolist()) == {320_000}


def test_a_silence_lasts_longer_than_ten_ticks_and_the_numbering_goes_on() -> None:
    taken, report = sent(silence=1.0)
    steps = np.concatenate([np.diff(bases(taken, str(s))) for s in report.sensors["sensor_id"]])
    long = steps[steps > 64] / 200
    assert len(long) >= SENSORS
    assert 11.5 < long.min() <= long.max() < 19
    assert report.faults["silent"] > 0


def ledger_of(taken: list[Payload], samples_per_batch: int) -> dict[str, int]:
    """The counts that sensor_processing makes of these payloads, in batches."""
    operator = SensorProcessing(ProcessingSettings(stop_min_sensors=1_000))
    state = operator.new_state(0)
    letters = 0
    for at in range(0, len(taken), samples_per_batch):
        part = taken[at : at + samples_per_batch]
        batch = InputBatch(
            [p.sensor_id.encode() for p in part],
            [p.payload for p in part],
            np.arange(at, at + len(part)),
            np.array([p.time_us for p in part]),
        )
        letters += sum(out.topic == DEAD_LETTERS for out in operator.step(state, batch))
    counts = operator.counts(state)
    assert counts["dead_letters"] == letters
    return counts


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_the_report_expects_is_what_sensor_processing_counts(seed: int) -> None:
    taken, report = sent(seed=seed, **EVERY_FAULT)
    counts, expected = ledger_of(taken, 97), report.expected
    letters = expected["dead_letters"]
    assert isinstance(letters, dict)
    assert all(report.faults.values())
    assert counts["frames"] == expected["frames"] == len(taken)
    assert counts["transformed"] == expected["transformed"]
    assert counts["duplicates"] == expected["duplicates"]
    assert counts["heartbeats"] == expected["heartbeats"]
    assert counts["dead_letters"] == sum(letters.values())
    assert counts["samples_transformed"] == expected["samples_transformed"]
    assert counts["boots"] == len(report.boots["boot"])
    assert counts["clock_steps"] == 0


def test_the_report_names_what_each_boot_sent() -> None:
    taken, report = sent(lost=0.1, reboot=0.5)
    found: list[tuple[str, int, int, int, int]] = []
    for sensor_id in map(str, report.sensors["sensor_id"]):
        order = np.array(bases(taken, sensor_id))
        boots = np.split(order, np.flatnonzero(np.diff(order) < 0) + 1)
        for boot, ours in enumerate(boots):
            row = (len(ours), int(ours[-1]) + 64, int(ours.sum()))
            found.append((sensor_id, boot, *row))
    names = ("sensor_id", "boot", "frames", "end_sample", "base_sum")
    assert found == list(zip(*(report.boots[name] for name in names), strict=True))
