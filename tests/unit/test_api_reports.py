"""What the api says of pipelines and sensors, from what was read."""

from typing import Any

import pytest

from pipelines import topics
from pipelines.control import Alarm, Control
from pipelines.errors import DataError
from pipelines.sinks.sink_offsets import Place
from serve.pipelines_report import COMMIT_OVERDUE_US, Observed, Progress, pipeline_report
from serve.sensor_directory import SensorDirectory

NOW_US = 1_760_000_000_000_000


def _progress(partition: int, samples: int, **changes: Any) -> Progress:
    fields: dict[str, Any] = {
        "place": Place(topics.RAW, partition),
        "slot": 0,
        "next_offset": 100,
        "committed_us": NOW_US - 500_000,
        "counts": {"records": samples // 64, "samples": samples},
    }
    return Progress(**fields | changes)


def _ends(*offsets: int, topic: str = topics.RAW) -> dict[Place, int]:
    return {Place(topic, partition): offset for partition, offset in enumerate(offsets)}


def _seen(**changes: Any) -> Observed:
    control = Control(
        pipeline="sensor-processing", slots=2, generation=1, paused=False, running_slots=2
    )
    seen = Observed(
        control=control,
        alarms=[],
        progress=[_progress(0, 6_400), _progress(1, 3_200, slot=1)],
        before=[_progress(0, 3_200), _progress(1, 1_600, slot=1)],
        seconds=5.0,
        end_offsets=_ends(104, 100),
        now_us=NOW_US,
    )
    return seen._replace(**changes)


def _control(**changes: Any) -> Control:
    fields = {"pipeline": "p", "slots": 2, "generation": 1, "paused": False, "running_slots": 2}
    return Control(**fields | changes)


def test_rates_lag_and_counts_are_those_of_all_partitions() -> None:
    report = pipeline_report(_seen())
    assert report.samples_per_s == (3_200 + 1_600) / 5
    assert report.records_per_s == (50 + 25) / 5
    assert report.lag == 4
    assert report.counts == {"records": 150, "samples": 9_600}
    assert [(each.partition, each.slot, each.lag) for each in report.partitions] == [
        (0, 0, 4),
        (1, 1, 0),
    ]
    assert report.last_commit_us == NOW_US - 500_000
    assert report.state == "running"


def test_without_the_input_ends_the_lag_is_unknown_and_the_rest_is_said() -> None:
    report = pipeline_report(_seen(end_offsets={}))
    assert report.lag is None
    assert report.samples_per_s > 0


@pytest.mark.parametrize(
    ("topic", "end", "lag"),
    [
        (topics.SESSIONS, 101, 0),
        (topics.SESSIONS, 102, 2),
        (topics.RAW, 101, 1),
        (topics.DEAD_LETTERS, 101, 1),
    ],
)
def test_a_transactions_marker_alone_is_no_lag(topic: str, end: int, lag: int) -> None:
    progress = [_progress(0, 64, place=Place(topic, 0))]
    report = pipeline_report(_seen(progress=progress, end_offsets=_ends(end, topic=topic)))
    assert (report.lag, report.partitions[0].lag) == (lag, lag)


def test_the_lag_of_a_pipeline_is_that_of_all_its_topics() -> None:
    progress = [
        _progress(0, 64, place=Place(topic, 0)) for topic in (topics.RAW, topics.TRANSFORMED)
    ]
    ends = _ends(110) | _ends(130, topic=topics.TRANSFORMED)
    report = pipeline_report(_seen(progress=progress, end_offsets=ends))
    assert report.lag == 40
    assert [each.topic for each in report.partitions] == [topics.RAW, topics.TRANSFORMED]


def test_a_changelog_that_began_anew_gives_no_negative_rate() -> None:
    report = pipeline_report(_seen(before=[_progress(0, 1_000_000)]))
    assert report.samples_per_s == 0


LATE = [_progress(0, 6_400, committed_us=NOW_US - COMMIT_OVERDUE_US - 1)]
ALARM = Alarm("p", 1, 1, "half of all sensors fail", NOW_US)


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "running"),
        ({"control": _control(paused=True)}, "paused"),
        ({"control": _control(running_slots=1)}, "starting"),
        ({"progress": [], "before": []}, "starting"),
        ({"progress": LATE}, "starting"),
        ({"progress": LATE, "overdue_us": 2 * COMMIT_OVERDUE_US}, "running"),
        ({"progress": LATE, "end_offsets": _ends(100)}, "running"),
        ({"alarms": [ALARM]}, "stopped"),
        ({"alarms": [ALARM], "control": _control(paused=True)}, "stopped"),
    ],
)
def test_the_state_says_what_the_pipeline_is_at(changes: dict[str, Any], state: str) -> None:
    assert pipeline_report(_seen(**changes)).state == state


def test_an_alarm_says_which_slot_and_why() -> None:
    assert pipeline_report(_seen(alarms=[ALARM])).alarm == "slot 1: half of all sensors fail"


def test_sensors_are_decoded_once_per_change_and_other_records_never() -> None:
    decoded: list[bytes] = []

    def summarize(key: bytes, value: bytes) -> dict[str, Any]:
        decoded.append(key)
        if value == b"broken":
            raise DataError("not of this layout")
        return {"sensor_id": key[2:].decode(), "value": value}

    directory = SensorDirectory(summarize)
    values = {3: {b"s/b": b"1", b"ledger": b"{}"}, 4: {b"s/a": b"2", b"s/c": b"broken"}}
    first = directory.sensors(values)
    assert first == [
        {"sensor_id": "a", "value": b"2", "partition": 4},
        {"sensor_id": "b", "value": b"1", "partition": 3},
    ]
    values = {3: values[3], 4: {b"s/a": bytes([51])}}
    decoded.clear()
    assert [each["value"] for each in directory.sensors(values)] == [b"3", b"1"]
    assert decoded == [b"s/a"]
