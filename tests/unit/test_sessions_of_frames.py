"""Frames in any order within the lateness make the same windows, and those the same sessions."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import topics
from pipelines.operators.sensor_processing import SensorProcessing
from pipelines.settings import ProcessingSettings, SessionSettings
from tests.unit.aggregated_partition import AggregatedPartition
from tests.unit.device_streams import Move, moves, records_of
from tests.unit.frame_building import START_US, Record, batch, frame_on_time, record, tick

S = 1_000_000
PAUSE_SAMPLES = 200 * 60
RULES = SessionSettings(gap_s=20.0, silence_ticks=8, update_ticks=3)


def windows_of(records: list[Record]) -> list[Record]:
    """Return what sensor_processing puts into sensor-data-aggregated."""
    operator = SensorProcessing(ProcessingSettings(), "test")
    outputs = operator.step(operator.new_state(3), batch(records))
    return [(o.key, bytes(o.value), 0) for o in outputs if o.topic == topics.AGGREGATED]


def without_order(records: list[Record]) -> list[dict[str, Any]]:
    """The records without what the order of their frames tells: offsets, and the last digits.

    Sums of floats in another order may differ there; sessions take nothing from such sums.
    """
    return [
        {
            name: {key: round(value, 9) for key, value in field.items()}
            if isinstance(field, dict)
            else field
            for name, field in json.loads(value).items()
            if name != "through_offset"
        }
        for _, value, _ in records
    ]


def frames(pauses: list[bool]) -> list[Record]:
    """Frames of 64 samples, a pause of a minute before some; received an hour later."""
    base = 0
    made = []
    for pause in pauses:
        base += PAUSE_SAMPLES if pause else 0
        made.append(record(frame_on_time(base), received_us=START_US + 3_600 * S))
        base += 64
    return made


@given(
    st.lists(st.sampled_from([False] * 6 + [True]), min_size=2, max_size=60),
    st.lists(st.floats(0, 1.5), min_size=60, max_size=60),
)
@settings(max_examples=100, deadline=None)
def test_frames_late_by_less_than_the_lateness_make_the_same_sessions(
    pauses: list[bool], delays_s: list[float]
) -> None:
    in_order = frames(pauses)
    starts_s = []
    for row, pause in enumerate(pauses):
        before_s = starts_s[-1] + 0.32 if row else 0.0
        starts_s.append(before_s + (60.0 if pause else 0.0))
    # Each frame arrives up to 1.5 s after its time: none is 2 s behind what came before it.
    arrival = sorted(range(len(in_order)), key=lambda row: (starts_s[row] + delays_s[row], row))
    late = [in_order[row] for row in arrival]
    silence = [tick() for _ in range(30)]
    right, found = windows_of(in_order + silence), windows_of(late + silence)
    assert without_order(found) == without_order(right)
    sessions = AggregatedPartition(right, RULES)
    assert AggregatedPartition(found, RULES).outputs == sessions.outputs
    assert sessions.counts["sessions_started"] == 1 + sum(pauses[1:])
    assert sessions.counts["samples"] == 64 * len(pauses)


@given(moves)
@settings(max_examples=60, deadline=None)
def test_sessions_of_any_stream_of_devices_are_proved_right(stream: list[Move]) -> None:
    windows = windows_of(records_of(stream) + [tick() for _ in range(20)])
    sessions = AggregatedPartition(windows, RULES)
    assert sessions.verify().differences == []
    assert sessions.counts["motion_windows"] == sum(key is not None for key, _, _ in windows)
    assert sessions.counts["sessions_started"] <= sessions.counts["motion_windows"]
    assert sessions.counts["dead_letters"] == 0
