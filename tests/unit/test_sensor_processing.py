"""What sensor_processing does to frames, as a list of promises."""

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pipelines
from pipelines import topics
from pipelines.errors import PipelineStoppedError
from pipelines.operators.sensor_processing import SensorProcessing
from pipelines.operators.sensor_state import PartitionState, summarize
from pipelines.records import Output
from pipelines.settings import ProcessingSettings
from pipelines.transformed import SCHEMA, STREAM_BYTES
from tests.unit.device_streams import Move, moves, records_of
from tests.unit.frame_building import (
    START_US,
    TICK,
    Record,
    batch,
    frame,
    frame_on_time,
    record,
    tick,
)

WINDOW_SCHEMA = json.loads(
    (Path(pipelines.__file__).parent / "schemas" / "window.schema.json").read_text()
)
S = 1_000_000


class Run:
    """An operator on one partition, and what it has put out so far."""

    def __init__(self, **rules: Any) -> None:
        self.operator = SensorProcessing(ProcessingSettings(**rules), "test")
        self.state: PartitionState = self.operator.new_state(3)
        self.outputs: list[Output] = []
        self.next_offset = 0

    def feed(self, *records: Record) -> "Run":
        found = self.operator.step(self.state, batch(records, self.next_offset))
        self.outputs += found
        self.next_offset += len(records)
        return self

    def restart(self) -> "Run":
        """Go on from nothing but what was saved, as a new process does."""
        saved = dict(getattr(self, "saved", {}))
        for key, value in self.operator.changes(self.state):
            if value is None:
                saved.pop(key, None)
            else:
                saved[key] = value
        self.saved = saved
        counts = self.operator.counts(self.state)
        self.state = self.operator.restore(3, reversed(saved.items()), counts)
        return self

    @property
    def counts(self) -> dict[str, int]:
        return self.operator.counts(self.state)

    @property
    def rows(self) -> list[dict[str, Any]]:
        return rows_of(self.outputs)

    @property
    def windows(self) -> list[dict[str, Any]]:
        return [json.loads(o.value) for o in self.outputs if o.topic == topics.AGGREGATED and o.key]

    @property
    def dead(self) -> list[tuple[str, bytes]]:
        return [
            (dict(o.headers)["reason"].decode(), bytes(o.value))
            for o in self.outputs
            if o.topic == topics.DEAD_LETTERS
        ]


def rows_of(outputs: list[Output]) -> list[dict[str, Any]]:
    return [
        row
        for o in outputs
        if o.topic == topics.TRANSFORMED
        and dict(o.headers)["content-type"] != b""
        and not is_tick(o)
        for row in pa.ipc.open_stream(o.value).read_all().to_pylist()
    ]


def is_tick(output: Output) -> bool:
    return dict(output.headers)[topics.CONTENT_TYPE] == topics.TICK_TYPE.encode()


def in_order(outputs: list[Output]) -> list[Any]:
    """Return what readers see, each topic in its order, whatever records carry it."""
    seen: list[Any] = []
    for topic in (topics.TRANSFORMED, topics.AGGREGATED, topics.DEAD_LETTERS):
        for o in outputs:
            if o.topic != topic:
                continue
            if topic == topics.TRANSFORMED and not is_tick(o):
                seen += rows_of([o])
            else:
                seen.append((topic, o.key, bytes(o.value), tuple(o.headers)))
    return seen


def test_a_frame_becomes_samples_with_the_right_units_and_places() -> None:
    golden = Path(__file__).parents[1] / "data" / "frames.jsonl"
    for case in map(json.loads, golden.read_text().splitlines()):
        run = Run()
        payload = bytes.fromhex(case["payload_hex"])
        run.feed((case["mqtt_topic"].removeprefix("imu/").encode(), payload, START_US))
        expected = [s for f in case["frames"] for s in f["samples"]]
        assert len(run.rows) == len(expected)
        for row, sample in zip(run.rows, expected, strict=True):
            for name, value in sample.items():
                assert row[name] == pytest.approx(value, rel=1e-6), name
            assert row["raw_offset"] == 0
        assert [(r, len(b)) for r, b in run.dead] == [
            (d["reason"], d["bytes"]) for d in case["dead_letters"]
        ]


def test_a_frame_sent_twice_is_counted_and_not_emitted() -> None:
    run = Run().feed(record(frame_on_time(0)), record(frame_on_time(0)))
    assert len(run.rows) == 64
    assert run.counts["duplicates"] == 1
    assert run.counts["samples_duplicate"] == 64


def test_of_a_frame_that_overlaps_only_the_new_samples_are_emitted() -> None:
    run = Run().feed(record(frame_on_time(0, 64)), record(frame_on_time(32, 64)))
    assert [r["sample_index"] for r in run.rows] == list(range(96))
    assert run.counts["samples_duplicate"] == 32


def test_a_gap_is_counted_and_filled_when_the_missing_frame_comes() -> None:
    run = Run().feed(record(frame_on_time(0)), record(frame_on_time(128)))
    assert (run.counts["gaps"], run.counts["gaps_filled"]) == (64, 0)
    run.feed(record(frame_on_time(64)))
    assert (run.counts["gaps"], run.counts["gaps_filled"]) == (64, 64)
    assert not any(row["late"] for row in run.rows)


def test_a_heartbeat_is_a_frame_that_moves_the_clock() -> None:
    run = Run().feed(record(frame_on_time(0, 400)), record(frame_on_time(800, 0)))
    assert run.counts["heartbeats"] == 1
    assert [w["closed_by"] for w in run.windows] == ["watermark"]


def test_a_restarted_numbering_is_a_new_boot_even_if_the_clock_is_back_in_1970() -> None:
    run = Run().feed(record(frame_on_time(0, 1000)), record(frame(0, 0, 64)))
    assert {row["boot"] for row in run.rows} == {0, 1}
    assert run.counts["boots"] == 2
    assert not any(row["late"] for row in run.rows)


def test_a_late_frame_of_the_boot_before_is_recognised() -> None:
    run = Run().feed(
        record(frame_on_time(0, 1000)),
        record(frame(0, START_US + 60 * S, 64)),
        record(frame_on_time(1000, 64)),
    )
    assert [row["boot"] for row in run.rows[-64:]] == [0] * 64
    assert run.counts["boots"] == 2


def test_the_windows_of_a_boot_close_when_the_next_boot_goes_on() -> None:
    run = Run().feed(
        record(frame_on_time(0, 100)),
        record(frame(0, START_US + 60 * S, 64)),
        record(frame(64, START_US + 60 * S + 64 * 5_000, 400)),
    )
    assert [(w["boot"], w["closed_by"], w["samples"]) for w in run.windows] == [(0, "reboot", 100)]


@pytest.mark.parametrize("step_s", [-86_400, -60, -30, 100, 300])
def test_a_clock_that_is_set_while_the_numbering_goes_on_is_a_clock_step(step_s: int) -> None:
    run = Run().feed(
        record(frame_on_time(0, 1000)),
        record(frame_on_time(1000, 1000, START_US + step_s * S)),
        record(frame_on_time(2000, 1000, START_US + step_s * S)),
    )
    assert run.counts["clock_steps"] == 1
    assert {row["boot"] for row in run.rows} == {0}
    # Where the boot had not been before, its windows go on.
    assert not any(row["late"] for row in run.rows)


def test_one_wrong_timestamp_is_two_clock_steps_and_windows_go_on() -> None:
    run = Run().feed(
        record(frame_on_time(0, 400)), record(frame_on_time(400, 64, START_US + 5 * S))
    )
    run.feed(*[record(frame_on_time(464 + 64 * i)) for i in range(100)])
    assert run.counts["clock_steps"] == 2
    assert {row["boot"] for row in run.rows} == {0}
    assert not run.rows[-1]["late"]
    assert run.windows[-1]["end_us"] > START_US + 25 * S


def test_a_late_frame_from_before_a_clock_step_belongs_to_its_boot() -> None:
    run = Run().feed(
        record(frame_on_time(0, 400)),
        record(frame_on_time(464, 400, START_US + 60 * S)),
        record(frame_on_time(400, 64)),
    )
    assert {row["boot"] for row in run.rows} == {0}
    assert run.counts["clock_steps"] == 1


def test_a_device_that_boots_into_1970_again_after_setting_its_clock_has_two_boots() -> None:
    run = Run().feed(*[record(frame_on_time(500 * i, 500, 0)) for i in range(4)])
    run.feed(record(frame_on_time(2000, 1000)), record(frame_on_time(3000, 1000)))
    run.feed(record(frame_on_time(0, 500, S // 10)))
    assert {row["boot"] for row in run.rows} == {0, 1}
    assert run.counts["duplicates"] == 0


def test_a_clock_set_back_into_closed_windows_makes_samples_late_until_it_is_past_them() -> None:
    run = Run().feed(record(frame_on_time(0, 2000)), record(frame_on_time(2000, 2000)))
    run.feed(record(frame_on_time(4000, 400, START_US - 14 * S)))
    assert all(row["late"] for row in run.rows[-400:])
    run.feed(record(frame_on_time(4400, 3000, START_US - 14 * S)))
    assert not run.rows[-1]["late"]


def test_a_sample_is_late_exactly_when_its_window_was_closed() -> None:
    run = Run().feed(record(frame_on_time(0, 300)), record(frame_on_time(400, 401)))
    assert [w["samples"] for w in run.windows] == [300]
    run.feed(record(frame_on_time(300, 100)))
    assert all(row["late"] for row in run.rows[-100:])
    run.feed(record(frame_on_time(801, 400)))
    assert [w["late"] for w in run.windows] == [0, 100]


def test_silence_of_ten_ticks_closes_the_windows() -> None:
    run = Run().feed(record(frame_on_time(0)), *[tick()] * 9)
    assert run.windows == []
    run.feed(tick())
    assert [(w["closed_by"], w["through_offset"]) for w in run.windows] == [("silence", 11)]
    assert all(row["late"] for row in run.feed(record(frame_on_time(64))).rows[-64:])


def test_a_timestamp_far_in_the_future_is_quarantined_and_moves_no_watermark() -> None:
    wrong = frame(64, START_US + 86_400 * S, 64)
    run = Run().feed(record(frame_on_time(0)), record(wrong), record(frame_on_time(64)))
    assert run.dead == [("implausible_timestamp", wrong)]
    assert run.counts["boots"] == 1
    assert not any(row["late"] for row in run.rows)


def test_a_frame_below_all_kept_numbers_is_quarantined_as_too_old() -> None:
    run = Run(lateness_s=600).feed(*[record(frame_on_time(128 * i)) for i in range(40)])
    run.feed(record(frame_on_time(64)))
    assert run.dead == [("too_old", frame_on_time(64))]
    assert run.counts["frames"] == 41


def test_ticks_go_on_to_both_outputs_in_their_place() -> None:
    run = Run().feed(record(frame_on_time(0)), tick(), record(frame_on_time(64)))
    transformed = [o for o in run.outputs if o.topic == topics.TRANSFORMED]
    assert [is_tick(o) for o in transformed] == [False, True, False]
    ticks = [o for o in run.outputs if is_tick(o)]
    assert [(o.topic, o.key, o.value) for o in ticks] == [
        (topics.TRANSFORMED, None, TICK),
        (topics.AGGREGATED, None, TICK),
    ]


def test_the_pipeline_stops_when_a_share_of_all_sensors_fails() -> None:
    run = Run(stop_min_sensors=3)
    poison = [record(b"nonsense", b"sensor%d" % i) for i in range(4)]
    with pytest.raises(PipelineStoppedError, match="stop_min_sensors"):
        run.feed(*poison, *[tick()] * 5)


def test_the_flood_of_one_sensor_stops_nothing() -> None:
    run = Run(stop_min_sensors=3)
    good = [record(frame_on_time(0), b"sensor%d" % i) for i in range(4)]
    run.feed(*good, *[record(b"nonsense", b"bad")] * 500, *[tick()] * 20)
    assert run.counts["dead_letters"] == 500


def test_a_sensor_silent_for_a_week_is_dropped_and_starts_anew() -> None:
    run = Run(forget_ticks=60).feed(record(frame_on_time(0)), *[tick()] * 60)
    assert run.counts["sensors_forgotten"] == 1
    assert run.operator.changes(run.state) == [(b"s/sensor1", None)]
    run.feed(record(frame_on_time(0)))
    assert run.counts["duplicates"] == 0


def test_an_arrow_stream_is_never_larger_than_its_bound() -> None:
    run = Run()
    long_ids = [("\U0001f9ed" * 60 + f"{i:04}").encode() for i in range(700)]
    run.feed(*[record(frame_on_time(0, 400), key) for key in long_ids])
    streams = [o.value for o in run.outputs if o.topic == topics.TRANSFORMED]
    assert max(map(len, streams)) <= STREAM_BYTES
    assert len(run.rows) == 700 * 400
    assert pa.ipc.open_stream(streams[0]).schema == SCHEMA


def test_the_saved_state_says_what_the_api_shows_of_a_sensor() -> None:
    run = Run().feed(record(frame_on_time(0)), record(frame_on_time(128)), tick())
    ((key, value),) = run.operator.changes(run.state)
    assert value is not None
    summary = summarize(key, value)
    assert summary["sensor_id"] == "sensor1"
    assert (summary["state"], summary["samples"], summary["gaps"]) == ("live", 128, 64)
    assert summary["rate_hz"] == 128


@given(moves)
@settings(deadline=None, max_examples=150)
def test_every_frame_is_counted_once_and_every_sample_emitted_once(stream: list[Move]) -> None:
    run = Run().feed(*records_of(stream))
    c = run.counts
    assert c["frames"] == c["transformed"] + c["duplicates"] + c["heartbeats"] + c["dead_letters"]
    assert c["samples"] == c["samples_transformed"] + c["samples_duplicate"]
    assert c["samples_transformed"] == len(run.rows)
    assert c["samples_late"] == sum(row["late"] for row in run.rows)
    assert c["dead_letters"] == len(run.dead)
    assert c["windows"] == len(run.windows)
    places = Counter((r["sensor_id"], r["boot"], r["sample_index"]) for r in run.rows)
    assert set(places.values()) <= {1}


@given(moves, st.lists(st.integers(0, 60), max_size=6), st.sets(st.integers(0, 6)))
@settings(deadline=None, max_examples=150)
def test_cuts_into_batches_and_restarts_change_nothing(
    stream: list[Move], cuts: list[int], restarts: set[int]
) -> None:
    records = records_of(stream)
    whole = Run().feed(*records)
    cut = Run()
    edges = sorted({0, len(records), *(min(c, len(records)) for c in cuts)})
    for i, (start, end) in enumerate(pairwise(edges)):
        cut.feed(*records[start:end])
        if i in restarts:
            cut.restart()
    assert in_order(cut.outputs) == in_order(whole.outputs)
    assert cut.counts == whole.counts


@given(moves)
@settings(deadline=None, max_examples=100)
def test_windows_hold_exactly_the_samples_in_time_below_their_offset(stream: list[Move]) -> None:
    run = Run().feed(*records_of(stream))
    rows = run.rows
    keys = [(w["sensor_id"], w["boot"], w["start_us"]) for w in run.windows]
    assert len(set(keys)) == len(keys)
    for window in run.windows:
        jsonschema.validate(window, WINDOW_SCHEMA)
        held = [
            r
            for r in rows
            if (r["sensor_id"], r["boot"]) == (window["sensor_id"], window["boot"])
            and window["start_us"] <= r["timestamp_us"] < window["end_us"]
            and r["raw_offset"] < window["through_offset"]
            and not r["late"]
        ]
        assert window["samples"] == len(held)
        for name, column in (("acc_mag", "accl_mag"), ("gyro_mag", "gyro_mag")):
            values = np.array([r[column] for r in held])
            found = window[name]
            assert (found["min"], found["max"]) == (values.min(), values.max())
            assert found["mean"] == pytest.approx(values.mean(), rel=1e-9)
            assert found["rms"] == pytest.approx(np.sqrt(np.mean(values**2)), rel=1e-9)
            assert found["std"] == pytest.approx(values.std(), rel=1e-9, abs=1e-9)
