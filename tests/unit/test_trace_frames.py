"""A frame is followed by its raw record's id, whatever comes in what order."""

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest

from cluster.trace.followed_frame import NAMES, WEBSOCKET, Arrival, FollowedFrame
from cluster.trace.stage import State
from cluster.trace.trace_lines import lines
from pipelines import topics
from pipelines.archive.record import Record
from pipelines.settings import ProcessingSettings
from tests.unit.frame_building import START_US, frame_on_time, record, tick
from tests.unit.processed_partition import PARTITION, ProcessedPartition

SENSOR = "sensor1"


def _processed(payloads: Sequence[bytes]) -> list[Arrival]:
    """What is read of raw records and of what sensor_processing made of them, each at its time."""
    records = [record(payload) for payload in payloads]
    partition = ProcessedPartition([tick(), *records], ProcessingSettings())
    arrivals: list[Arrival] = []
    for offset, (key, value, received_us) in enumerate(partition.raw):
        headers = {"received-us": b"%d" % received_us}
        if key is None:
            headers[topics.CONTENT_TYPE] = topics.TICK_TYPE.encode()
        made = Record(offset, key, value, headers, received_us)
        arrivals.append((topics.RAW, made, received_us + 1_000))
    for topic, outputs in partition.outputs.items():
        for offset, (key, value, headers_of) in enumerate(outputs):
            made = Record(offset, key, value, dict(headers_of), START_US)
            arrivals.append((topic, made, START_US + 600_050_000))
    return arrivals


def _followed(arrivals: Sequence[Arrival]) -> FollowedFrame:
    followed = FollowedFrame(SENSOR, PARTITION, 200.0)
    for arrival in arrivals:
        list(followed.take(*arrival))
    return followed


def _message(*raw_offsets: int) -> dict[str, Any]:
    return {"columns": {"raw_offset": list(raw_offsets)}, "offset": 0, "seq": 4, "dropped": 0}


def test_a_frame_is_seen_at_every_stage_whatever_order_the_partitions_are_read_in() -> None:
    # Enough for the first window to close.
    arrivals = _processed([frame_on_time(number * 64) for number in range(14)])
    message: Arrival = (WEBSOCKET, _message(1, 1, 2), START_US + 600_060_000)
    by_topic = {topic: [a for a in arrivals if a[0] == topic] for topic, _, _ in arrivals}
    for order in permutations([topics.TRANSFORMED, topics.RAW]):
        read = [a for topic in order for a in by_topic[topic]]
        followed = _followed([message, *read, *by_topic[topics.AGGREGATED]])
        assert followed.stages.keys() == {"mqtt", "transformed", "websocket", "motion_window"}
        trace = followed.trace(NAMES, complete=True)
        assert trace.trace_id == f"{topics.RAW}/{PARTITION}/1"
        at_us = {stage.name: stage.at_us for stage in trace.stages}
        assert at_us["mqtt"] == START_US + 600_000_000
        assert at_us["websocket"] == START_US + 600_060_000
        waiting = [stage.name for stage in trace.stages if stage.state is State.WAITING]
        assert waiting == ["prediction", "session"]


def test_a_refused_frame_ends_in_the_dead_letters_and_nothing_else_is_expected() -> None:
    # A clock an hour ahead.
    arrivals = _processed([frame_on_time(0, start_us=START_US + 4_200_000_000)])
    followed = _followed(arrivals)
    assert followed.refused
    assert followed.missing(NAMES) == []
    assert followed.stages["dead_letter"].facts["reason"] == "implausible_timestamp"


def test_late_samples_come_to_no_window() -> None:
    good = [frame_on_time(number * 64) for number in range(14)]
    late = frame_on_time(5 * 64)
    arrivals = _processed([*good[:5], *good[6:], late])
    raw = [a for a in arrivals if a[0] == topics.RAW]
    others = [a for a in arrivals if a[0] != topics.RAW]
    followed = _followed([raw[-1], *others])
    assert followed.stages["transformed"].facts["late"]
    assert set(followed.missing(NAMES)) == {"websocket", "prediction"}


def test_other_sensors_ticks_and_heartbeats_are_not_followed() -> None:
    other: Arrival = (topics.RAW, Record(7, b"another", frame_on_time(0), {}, 1), 1)
    heartbeat: Arrival = (topics.RAW, Record(8, b"sensor1", frame_on_time(0, 0), {}, 1), 1)
    followed = _followed([other, heartbeat, (WEBSOCKET, _message(7, 8), 1)])
    assert followed.stages == {}
    assert not followed.trace(NAMES, complete=False).found


@pytest.mark.parametrize("complete", [True, False])
def test_a_trace_reads_as_lines(complete: bool) -> None:
    arrivals = _processed([frame_on_time(0)])
    trace = _followed(arrivals).trace(NAMES, complete=complete)
    text = "\n".join(lines(trace))
    assert text.startswith(f"Sample 0 of {SENSOR}, frame imu-data-all/3/1\n+ mqtt ")
    assert "\n. prediction" in text
    assert ("--within" in text) is not complete
