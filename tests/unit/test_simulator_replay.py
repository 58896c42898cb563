"""Replayed recordings as frames: every sample once, in its place, within a quantisation step."""

from collections import defaultdict

import numpy as np
import pytest

from pipelines.errors import ConfigurationError, DataError
from pipelines.frame_reading import read_payload
from simulator.backlog import batches
from simulator.options import FleetOptions
from simulator.readings import ACC_G_PER_COUNT, GYRO_RAD_S_PER_COUNT, MAG_GAUSS_PER_COUNT
from simulator.recording import Recording
from simulator.replay import Replay
from simulator.replay_csv import CsvForm
from simulator.replay_source import recordings_of, replayed
from simulator.report import Tally
from simulator.resampling import resampled
from simulator.schedule import Message

START_US = 1_760_000_000_000_000
STEPS = np.array([ACC_G_PER_COUNT] * 3 + [GYRO_RAD_S_PER_COUNT] * 3 + [MAG_GAUSS_PER_COUNT] * 3)


def recording(seconds: float = 3.0, seed: int = 0, gap_s: float = 0.0) -> Recording:
    """Smooth noise at 50 Hz, with a gap in the middle."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * 50)) / 50
    time_s[len(time_s) // 2 :] += gap_s
    values = np.cumsum(rng.normal(0, 0.02, (len(time_s), 9)), axis=0)
    return Recording(f"noise {seed}", time_s, values, np.full(len(time_s), 1_280.0))


def played(
    options: FleetOptions, recordings: list[Recording], max_gap_s: float = 0.25
) -> tuple[Replay, list[Message], Tally]:
    options = replayed(options, recordings)
    replay = Replay(options, recordings, max_gap_s, START_US)
    tally, messages = Tally(options), []
    for batch in batches(replay, options.frame_period_s):
        tally.add(batch)
        messages += batch.messages
    return replay, messages, tally


def decoded(messages: list[Message]) -> dict[int, dict[int, tuple[int, np.ndarray]]]:
    """By sensor and sample number: the time and the nine readings."""
    found: dict[int, dict[int, tuple[int, np.ndarray]]] = defaultdict(dict)
    names = [f"{kind}_{axis}" for kind in ("acc", "gyro", "mag") for axis in "xyz"]
    for message in messages:
        read = read_payload(message.payload, 200.0)
        assert not read["dead_letters"]
        for sample in read["frames"][0]["samples"]:
            values = np.array([sample[name] for name in names])
            assert sample["sample_index"] not in found[message.sensor]
            found[message.sensor][sample["sample_index"]] = (sample["timestamp_us"], values)
    return found


@pytest.mark.parametrize("gap_s", [0.0, 2.0])
def test_what_is_decoded_is_the_recording_within_half_a_step(gap_s: float) -> None:
    recordings = [recording(3, 1, gap_s), recording(2, 2, gap_s)]
    _, messages, _ = played(FleetOptions(sensors=3), recordings)
    found = decoded(messages)
    for sensor, samples in found.items():
        expected = resampled(recordings[sensor % 2], 200.0, 0.25)
        assert sorted(samples) == expected.number.tolist()
        for number, readings in zip(expected.number.tolist(), expected.readings, strict=True):
            assert (np.abs(samples[number][1] - readings) <= 0.501 * STEPS).all()
    assert sorted(found) == [0, 1, 2]


def test_times_are_those_of_the_grid_across_gaps_and_short_frames() -> None:
    _, messages, _ = played(FleetOptions(sensors=2), [recording(3, 1, 2.0)])
    for samples in decoded(messages).values():
        first_us = samples[0][0]
        for number, (timestamp_us, _) in samples.items():
            assert abs(timestamp_us - first_us - number * 5_000) <= 1


def test_frames_are_due_when_their_last_sample_is_taken() -> None:
    _, messages, _ = played(FleetOptions(sensors=2), [recording(3, 1, 2.0)])
    for message in messages:
        assert abs(message.due_us - message.timestamp_us - message.samples * 5_000) <= 1
    for sensor in (0, 1):
        due = [message.due_us for message in messages if message.sensor == sensor]
        assert due == sorted(due)


def test_the_report_counts_the_samples_of_short_frames_too() -> None:
    recordings = [recording(3, 1, 2.0)]
    replay, messages, tally = played(FleetOptions(sensors=2), recordings)
    report = tally.report(replay, len(messages), replay.replayed())
    there = len(resampled(recordings[0], 200.0, 0.25).number)
    assert report.expected["samples_transformed"] == 2 * there
    assert report.boots["samples"] == [there, there]
    assert report.boots["end_sample"] == [there + report.replay.missing_samples[0]] * 2  # type: ignore[union-attr]
    assert report.expected["frames"] == len(messages) > 0


def test_values_beyond_the_range_are_saturated_and_counted() -> None:
    loud = recording(1)
    loud.readings[10:12, 0] = 1e3
    replay, messages, _ = played(FleetOptions(sensors=1), [loud])
    saturated = replay.replayed().saturated_values[0]
    at_end = sum(
        np.isclose(values[0], 32_767 * ACC_G_PER_COUNT)
        for _, values in decoded(messages)[0].values()
    )
    assert saturated == at_end > 5


def test_seconds_cut_a_replay_short_and_never_lengthen_it() -> None:
    whole = played(FleetOptions(sensors=1, seconds=100), [recording(3)])[1]
    cut = played(FleetOptions(sensors=1, seconds=1), [recording(3)])[1]
    assert [m.payload for m in cut] == [m.payload for m in whole][: len(cut)]
    assert sum(m.samples for m in cut) <= 200 < sum(m.samples for m in whole)


def test_faults_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="leave out lost"):
        played(FleetOptions(sensors=1, lost=0.1), [recording()])


def test_a_source_that_is_nothing_is_named(tmp_path: object) -> None:
    with pytest.raises(DataError, match=r"--replay .*neither a CSV file, nor a folder"):
        recordings_of(str(tmp_path), CsvForm(), 5)


def test_the_watch_recordings_are_in_g_and_rad_s_and_seven_in_a_row_are_seven_exercises() -> None:
    pytest.importorskip("seglearn")
    found = recordings_of("seglearn", CsvForm(), 140)
    assert len(found) == 140
    assert len({one.name.split()[3] for one in found[:7]}) == 7
    magnitude = [float(np.median(np.linalg.norm(one.readings[:, :3], axis=1))) for one in found]
    assert 0.95 < np.median(magnitude) < 1.15
    fastest = [float(np.abs(one.readings[:, 3:6]).max()) for one in found]
    assert 1 < np.median(fastest) < 35  # a watch's gyroscope ends at 2,000 deg/s
    assert all(one.span_s * 1.5 > 27 and np.allclose(np.diff(one.time_s), 0.02) for one in found)
