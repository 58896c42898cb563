"""What session_aggregation makes of windows, as a list of promises."""

import json
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pipelines
from pipelines import topics
from pipelines.errors import DataError
from pipelines.records import Output
from tests.unit.frame_building import START_US, Record
from tests.unit.session_run import (
    RULES,
    SENSORS,
    Move,
    S,
    SessionRun,
    motion,
    moves,
    records_of,
    tick,
    velocity,
)

SCHEMAS = Path(pipelines.__file__).parent / "schemas"
VALIDATOR = jsonschema.Draft202012Validator(
    json.loads((SCHEMAS / "session.schema.json").read_text())
)


def dead_letters(outputs: list[Output]) -> list[Output]:
    return [o for o in outputs if o.topic == topics.DEAD_LETTERS]


def minutes(start_s: int, end_s: int, sensor: bytes = SENSORS[0]) -> list[Record]:
    """Every window of a span."""
    return [motion(at, sensor) for at in range(start_s, end_s, 2)]


# Properties


def parts_of(records: list[Record], cuts: list[int]) -> list[list[Record]]:
    bounds = sorted({0, len(records), *(cut % (len(records) + 1) for cut in cuts)})
    return [records[start:end] for start, end in pairwise(bounds)]


@given(moves, st.lists(st.integers(0, 1_000), max_size=6))
@settings(max_examples=150, deadline=None)
def test_any_split_and_any_restart_gives_the_same_events_and_state(
    stream: list[Move], cuts: list[int]
) -> None:
    records = records_of(stream)
    whole = SessionRun(**RULES).feed(*records).save()
    split, restarted = SessionRun(**RULES), SessionRun(**RULES)
    for part in parts_of(records, cuts):
        split.feed(*part)
        restarted.restart().feed(*part)
    split.save()
    restarted.save()
    assert split.outputs == whole.outputs == restarted.outputs
    assert split.saved == whole.saved == restarted.saved
    assert split.counts == whole.counts == restarted.counts


@given(moves)
@settings(max_examples=150, deadline=None)
def test_every_event_is_of_the_schema_and_every_record_is_counted(stream: list[Move]) -> None:
    records = records_of(stream)
    run = SessionRun(**RULES).feed(*records)
    for event in run.events:
        VALIDATOR.validate(event)
    counts = run.counts
    assert counts["records"] == len(records)
    assert counts["records"] == counts["ticks"] + counts["windows"] + counts["dead_letters"]
    assert counts["windows"] == counts["motion_windows"] + counts["velocity_windows"]
    assert counts["events"] == len(run.events)
    assert counts["dead_letters"] == len(dead_letters(run.outputs))
    ticks = [o.value for o in run.outputs if o.topic == topics.SESSIONS and o.key is None]
    assert ticks == [value for key, value, _ in records if key is None and value.endswith(b"}")]


@given(moves)
@settings(max_examples=150, deadline=None)
def test_revisions_have_no_hole_and_every_window_is_in_one_session(stream: list[Move]) -> None:
    # Nothing is dropped here, so that an id is one session's for good.
    rules = RULES | {"amend_ticks": 100_000, "kept_sessions": 1_000}
    run = SessionRun(**rules).feed(*records_of(stream), *[tick()] * 100)
    last: dict[str, dict[str, Any]] = {}
    opened: dict[str, str] = {}
    for event in run.events:
        before = last.get(event["session_id"])
        assert event["revision"] == (1 if before is None else before["revision"] + 1)
        assert (event["event"] == "started") == (before is None)
        last[event["session_id"]] = event
        if event["state"] == "open":
            assert opened.setdefault(event["sensor_id"], event["session_id"]) == event["session_id"]
        else:
            opened.pop(event["sensor_id"], None)
    assert all(event["state"] == "closed" for event in last.values())
    counts = run.counts
    assert sum(event["windows"] for event in last.values()) == counts["motion_windows"]
    assert sum(event["samples"] for event in last.values()) == counts["samples"]
    attached = sum(event["velocity_windows"] for event in last.values())
    assert attached == counts["velocity_windows"] - counts["velocity_unmatched"]


# Examples


def test_a_session_starts_is_told_every_ten_ticks_and_is_closed_by_600_silent_ones() -> None:
    run = SessionRun()
    for at in range(0, 30, 2):
        run.feed(motion(at)).ticks(2)
    run.ticks(700)
    assert run.story == ["started 0", "updated 0", "updated 0", "updated 0", "closed 0"]
    assert [event["windows"] for event in run.events] == [1, 5, 10, 15, 15]
    closed = run.events[-1]
    assert (closed["closed_by"], closed["state"]) == ("silence", "closed")
    assert closed["through_offset"] == 15 + 28 + 600
    assert (closed["start_us"], closed["end_us"]) == (START_US, START_US + 30 * S)


def test_an_open_session_without_news_is_not_told_again() -> None:
    run = SessionRun().feed(motion(0)).ticks(500)
    assert run.story == ["started 0"]


def test_a_window_ten_minutes_after_the_last_one_still_belongs_to_the_session() -> None:
    run = SessionRun().feed(motion(0), motion(602)).ticks(10)
    assert run.story == ["started 0", "updated 0"]


def test_a_window_after_a_longer_gap_starts_another_session_and_closes_the_first() -> None:
    run = SessionRun().feed(motion(0), motion(604))
    assert run.story == ["started 0", "closed 0", "started 604"]
    assert [event["closed_by"] for event in run.events] == [None, "gap", None]
    assert [event["through_offset"] for event in run.events] == [1, 2, 2]


def test_a_window_within_the_gap_of_a_closed_session_reopens_it_under_its_id() -> None:
    run = SessionRun().feed(motion(0)).ticks(600).feed(motion(300))
    assert run.story == ["started 0", "closed 0", "reopened 0"]
    reopened = run.events[-1]
    assert (reopened["revision"], reopened["windows"], reopened["state"]) == (3, 2, "open")
    run.ticks(600)
    assert run.story[-1] == "closed 0"


def test_reopening_an_older_session_closes_the_one_that_is_open() -> None:
    run = SessionRun().feed(motion(0), motion(2_000), motion(4))
    assert run.story == ["started 0", "closed 0", "started 2000", "closed 2000", "reopened 0"]


def test_an_earlier_window_widens_the_span_and_leaves_the_id() -> None:
    run = SessionRun().feed(motion(100), motion(0)).ticks(10)
    updated = run.events[-1]
    assert updated["session_id"] == f"sensor1_{START_US + 100 * S}"
    assert updated["start_us"] == START_US


def test_a_window_between_two_sessions_joins_the_nearer_and_of_equals_the_earlier() -> None:
    rules = {"gap_s": 10.0}
    nearer = SessionRun(**rules).feed(motion(0), motion(20), motion(12)).ticks(10)
    assert nearer.story[-1] == "updated 20"
    equal = SessionRun(**rules).feed(motion(0), motion(20), motion(10))
    assert equal.story[-2:] == ["closed 20", "reopened 0"]
    # They now are within each other's gap, and stay two.
    equal.feed(motion(18)).ticks(10)
    assert equal.story[-2:] == ["closed 0", "reopened 20"]


def test_a_boot_in_1970_has_a_session_of_its_own_and_harms_no_other() -> None:
    past = -START_US // S
    run = SessionRun().feed(motion(0), motion(past, boot=1), motion(past + 2, boot=1), motion(2))
    assert run.story == ["started 0", "closed 0", f"started {past}", f"closed {past}", "reopened 0"]
    assert [event["windows"] for event in run.events] == [1, 1, 1, 2, 2]
    assert run.events[3]["session_id"] == "sensor1_0"


def test_a_sensor_elsewhere_in_time_changes_nothing_for_another() -> None:
    alone = SessionRun().feed(motion(0)).ticks(5).feed(motion(2)).ticks(20)
    both = SessionRun().feed(motion(0), motion(10_000, SENSORS[1])).ticks(5)
    both.feed(motion(2), motion(-10_000, SENSORS[1])).ticks(20)
    assert [s for s in both.events if s["sensor_id"] == "sensor1"] == [
        event | {"through_offset": found["through_offset"]}
        for event, found in zip(
            alone.events, [s for s in both.events if s["sensor_id"] == "sensor1"], strict=True
        )
    ]


def test_velocity_windows_of_an_open_session_are_told_with_the_next_update() -> None:
    run = SessionRun().feed(motion(0), velocity(0, distance_m=0.1)).ticks(10)
    run.feed(velocity(0, distance_m=0.2, velocity_max=0.5)).ticks(10)
    assert run.story == ["started 0", "updated 0", "updated 0"]
    assert [event["distance_m"] for event in run.events] == [None, 0.1, 0.1 + 0.2]
    assert run.events[-1]["velocity_max"] == 1.5


def test_velocity_windows_amend_a_closed_session_at_most_every_ten_ticks() -> None:
    run = SessionRun().feed(*minutes(0, 10), motion(5_000)).ticks(10)
    for at in range(0, 10, 2):
        run.feed(velocity(at)).ticks(3)
    run.ticks(10)
    amended = [event for event in run.events if event["event"] == "amended"]
    assert [(event["velocity_windows"], event["state"]) for event in amended] == [
        (1, "closed"),
        (4, "closed"),
        (5, "closed"),
    ]


def test_a_velocity_window_waits_for_its_motion_window() -> None:
    run = SessionRun().feed(velocity(0), velocity(2)).ticks(59).feed(motion(0))
    assert run.events[0]["velocity_windows"] == 1
    run.feed(motion(2)).ticks(10)
    assert run.events[-1]["velocity_windows"] == 2
    assert run.counts["velocity_unmatched"] == 0


def test_a_velocity_window_that_waited_60_ticks_is_counted_and_dropped() -> None:
    run = SessionRun().feed(velocity(0)).ticks(60).feed(motion(0))
    assert run.events[0]["velocity_windows"] == 0
    assert run.counts["velocity_unmatched"] == 1


def test_more_waiting_velocity_windows_than_the_setting_drop_the_oldest() -> None:
    run = SessionRun(pending_windows=2).feed(velocity(0), velocity(2), velocity(4))
    run.feed(*minutes(0, 6)).ticks(10)
    assert run.events[-1]["velocity_windows"] == 2
    assert run.counts["velocity_unmatched"] == 1


def test_a_session_closed_for_a_day_can_no_longer_be_amended_or_reopened() -> None:
    run = SessionRun(amend_ticks=1_000).feed(motion(0)).ticks(1_599).feed(velocity(0)).ticks(1)
    assert run.story == ["started 0", "closed 0", "amended 0"]
    run.feed(velocity(0), motion(4)).ticks(100)
    assert run.story[3:] == ["started 4"]
    assert run.counts["velocity_unmatched"] == 1


def test_of_more_sessions_than_are_kept_the_one_closed_first_goes() -> None:
    run = SessionRun(kept_sessions=2).feed(motion(0), motion(1_000), velocity(0), motion(2_000))
    assert run.story[-2:] == ["started 2000", "amended 0"]
    run.feed(motion(2))
    assert run.story[-2:] == ["closed 2000", "started 2"]


def test_a_sensor_with_nothing_left_has_its_state_deleted() -> None:
    run = SessionRun(amend_ticks=10).feed(motion(0)).ticks(1)
    assert [key for key, value in run.operator.changes(run.state) if value] == [b"s/sensor1"]
    run.ticks(610)
    assert run.operator.changes(run.state) == [(b"s/sensor1", None)]
    assert run.state.sensors == {}


def test_a_snapshot_holds_only_the_sensors_that_changed() -> None:
    run = SessionRun().feed(motion(0), motion(0, SENSORS[1])).save()
    run.feed(motion(2)).ticks(1)
    assert [key for key, _ in run.operator.changes(run.state)] == [b"s/sensor1"]


def test_state_of_another_layout_is_refused_in_words() -> None:
    run = SessionRun()
    with pytest.raises(DataError, match="not of layout 1"):
        run.operator.restore(3, [(b"s/sensor1", b"[2,[],[]]")], {})


def test_ticks_tell_sensors_in_the_order_of_their_ids_and_come_after_their_events() -> None:
    run = SessionRun()
    names = [b"c", b"a", b"b"]
    run.feed(*[motion(0, name) for name in names], *[motion(2, name) for name in names])
    run.ticks(10)
    assert [o.key for o in run.outputs[3:]] == [None] * 9 + [b"a", b"b", b"c", None]


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        (b"", "Input data was truncated"),
        (b"\xff\xfe", "can't decode byte 0xff"),
        (b'{"kind":"other"}', "Invalid value 'other'"),
        (motion(0, samples=0)[1], "`$.samples`"),
        (motion(0, boot=None)[1], "`$.boot`"),
        (motion(0, end_us=START_US)[1], "`end_us` is not after `start_us`"),
        (motion(0, sensor=b"another")[1], "`sensor_id` is not the record's key"),
        (velocity(0, distance_m="far")[1], "`$.distance_m`"),
    ],
)
def test_what_is_no_window_is_a_dead_letter_and_stops_nothing(value: bytes, detail: str) -> None:
    run = SessionRun().feed((b"sensor1", value, 77), motion(0))
    (letter,) = dead_letters(run.outputs)
    headers = dict(letter.headers)
    assert (letter.key, letter.value) == (b"sensor1", value)
    assert headers["reason"] == b"not_a_window"
    assert detail in headers["detail"].decode()
    assert headers["pipeline"] == b"session-aggregation"
    assert headers["source"] == b"sensor-data-aggregated/3/0"
    assert headers["byte-range"] == b"0-%d" % len(value)
    assert run.story == ["started 0"]


def test_a_keyless_record_that_is_no_tick_is_a_dead_letter_too() -> None:
    run = SessionRun().feed((None, b"what is this", 0)).ticks(1)
    assert len(dead_letters(run.outputs)) == 1
    assert run.counts["ticks"] == 1


def test_a_tick_of_1000_sensors_costs_about_a_millisecond() -> None:
    run = SessionRun()
    names = [b"sensor%04d" % number for number in range(1_000)]
    run.feed(*[motion(0, name) for name in names])
    for at in range(2, 24, 2):
        for share in range(2):
            run.feed(*[motion(at, name) for name in names[share::2]]).ticks(1)
    started_s = time.process_time()
    run.ticks(400)
    spent_ms = (time.process_time() - started_s) * 1000
    assert spent_ms / 400 < 1


def test_the_rules_that_shape_the_state_are_named() -> None:
    assert SessionRun().operator.rules == (
        "gap_s=600 silence_ticks=600 update_ticks=10 amend_ticks=86400 kept_sessions=16 "
        "pending_windows=64"
    )
