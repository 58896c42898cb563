"""The frames of a simulated fleet: their bytes, numbers, times and the truth behind them."""

import struct
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from fastcrc import crc16

from pipelines.errors import ConfigurationError
from pipelines.frame_scanner import scan_payload
from simulator import Backlog, FleetOptions, Payload, payloads
from simulator.readings import (
    ACC_G_PER_COUNT,
    FIELD_GAUSS,
    MAG_GAUSS_PER_COUNT,
    NOISE_COUNTS,
    SAMPLE,
)
from simulator.schedule import Schedule

START_US = 1_760_000_000_000_000


def fleet(**options: object) -> FleetOptions:
    return FleetOptions(**{"sensors": 5, "seconds": 4, "start_us": START_US} | options)  # type: ignore[arg-type]


def decoded(frame: bytes) -> tuple[int, int, np.ndarray]:
    """Base sample number, timestamp and samples, straight from the format's description."""
    sync, length, base, timestamp_us, n = struct.unpack_from("<2sHIQH", frame)
    assert sync == b"\x7c\x1e"
    assert len(frame) == 4 + length + 2
    assert struct.unpack("<H", frame[-2:])[0] == crc16.arc(frame[:-2])
    return base, timestamp_us, np.frombuffer(frame, SAMPLE, n, 18)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    faults = {"lost": 0.1, "duplicates": 0.1, "reorder": 0.1, "bad_crc": 0.1, "reboot": 0.5}
    once = list(payloads(fleet(seed=7, **faults)))
    assert once == list(payloads(fleet(seed=7, **faults)))
    assert once != list(payloads(fleet(seed=8, **faults)))


def test_the_bytes_do_not_depend_on_how_the_time_is_cut() -> None:
    options = fleet(reorder=0.2, duplicates=0.2, reboot=1.0, seconds=20, clock_drift_ppm=500)
    schedule, messages, now_s = Schedule(options, START_US), [], 0.0
    while schedule.next_due_s != float("inf"):
        now_s += 0.013
        messages += schedule.step(now_s).messages
    messages += schedule.flush().messages
    ids = options.sensor_ids()
    for sensor, sensor_id in enumerate(ids):
        ours = [m.payload for m in messages if m.sensor == sensor]
        assert ours == [p.payload for p in payloads(options) if p.sensor_id == sensor_id]


def test_numbers_and_times_go_on_from_frame_to_frame() -> None:
    for sensor in range(1, 6):
        frames = [decoded(p.payload) for p in payloads(fleet()) if p.sensor_id == f"sensor{sensor}"]
        assert [base for base, _, _ in frames] == [64 * k for k in range(len(frames))]
        assert {len(samples) for _, _, samples in frames} == {64}
        times = np.array([timestamp_us for _, timestamp_us, _ in frames])
        assert set(np.diff(times).tolist()) == {320_000}


def test_a_frame_is_published_when_its_last_sample_is_taken_and_sensors_take_turns() -> None:
    taken = list(payloads(fleet()))
    assert [p.time_us for p in taken] == sorted(p.time_us for p in taken)
    assert all(p.time_us - decoded(p.payload)[1] == 320_000 for p in taken)
    assert len({p.time_us for p in taken[:5]}) == 5
    assert {p.sensor_id for p in taken[:5]} == {f"sensor{k}" for k in range(1, 6)}


def test_frames_are_good_to_the_pipeline_that_reads_them() -> None:
    for payload in payloads(fleet(samples_per_frame=10, heartbeats=0.3)):
        frames, dead = scan_payload(payload.payload)
        assert len(frames) == 1
        assert not dead


def test_a_clock_offset_moves_the_timestamps_of_each_device_by_its_own_amount() -> None:
    right, wrong = list(payloads(fleet())), list(payloads(fleet(clock_offset_s=30)))
    off: dict[str, set[int]] = {}
    for ours, theirs in zip(right, wrong, strict=True):
        moved = decoded(theirs.payload)[1] - decoded(ours.payload)[1]
        off.setdefault(ours.sensor_id, set()).add(moved)
    assert all(len(amounts) == 1 for amounts in off.values())
    amounts = {amount for one in off.values() for amount in one}
    assert len(amounts) == 5
    assert max(abs(amount) for amount in amounts) <= 30_000_000


def test_a_drifting_clock_runs_ahead_of_or_behind_true_time() -> None:
    last: dict[str, Payload] = {}
    for payload in payloads(fleet(seconds=60, clock_drift_ppm=1_000)):
        last[payload.sensor_id] = payload
    behind = [p.time_us - decoded(p.payload)[1] - 320_000 for p in last.values()]
    assert 0 < max(abs(us) for us in behind) <= 60_000
    assert len(set(behind)) == 5


def test_a_sensor_at_rest_reads_one_g_within_its_noise() -> None:
    for payload in payloads(fleet(motion="rest", seconds=1)):
        samples = decoded(payload.payload)[2]
        magnitude_g = np.linalg.norm(samples["acc"] * ACC_G_PER_COUNT, axis=1)
        assert np.abs(magnitude_g - 1).max() < 6 * NOISE_COUNTS[0] * ACC_G_PER_COUNT


def test_the_ground_truth_is_what_the_samples_measured(tmp_path: Path) -> None:
    options = fleet(sensors=3, seconds=8, reboot=1.0, clock_offset_s=5)
    backlog = Backlog(options)
    taken = list(backlog)
    backlog.write_ground_truth(tmp_path / "truth.parquet")
    table = pq.read_table(tmp_path / "truth.parquet").to_pydict()
    truth = {
        key: row
        for row, key in enumerate(
            zip(table["sensor_id"], table["timestamp_us"], table["sample_index"], strict=True)
        )
    }
    assert set(table["boot"]) == {0, 1} or set(table["boot"]) == {0}
    assert len(truth) == 64 * len(taken)
    for payload in taken:
        base, timestamp_us, samples = decoded(payload.payload)
        row = truth[payload.sensor_id, timestamp_us, base]
        w, x, y, z = (table[f"orientation_{axis}"][row] for axis in "wxyz")
        to_body = _matrix(w, x, y, z).T
        world = np.array([table[f"acceleration_{axis}"][row] for axis in "xyz"])
        force_g = to_body @ (world / 9.80665 + [0, 0, 1])
        assert np.abs(samples["acc"][0] * ACC_G_PER_COUNT - force_g).max() < 0.01
        field = to_body @ FIELD_GAUSS
        assert np.abs(samples["mag"][0] * MAG_GAUSS_PER_COUNT - field).max() < 0.01


def _matrix(w: float, x: float, y: float, z: float) -> np.ndarray:
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"sensors": 0}, "sensors"),
        ({"rate_hz": 0.0}, "rate_hz"),
        ({"motion": "fly"}, "motion"),
        ({"lost": 1.5}, "lost"),
        ({"lost": 0.6, "cut": 0.6}, "add up"),
        ({"samples_per_frame": 4_000}, "samples_per_frame"),
        ({"sensor_prefix": "a/b"}, "sensor_prefix"),
    ],
)
def test_options_that_cannot_be_are_refused_by_name(wrong: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        fleet(**wrong)
