"""JSON payloads: what is valid, what they become, and that the verifier's own reading agrees."""

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import pipelines
from pipelines.frame_format import ACC_G
from pipelines.frame_reading import read_payload
from pipelines.frame_scanner import DeadSpan
from pipelines.frame_table import tabulate
from pipelines.json_payload.forms import InvalidPayloadError, is_json, read_json
from pipelines.payload_scanner import resampled, scan_any
from pipelines.verify.plain_json import begin_us_of, samples_of
from tests.unit.frame_building import frame
from tests.unit.json_building import START_NS, anything, encoded, logged, plain

GOLDEN = [
    json.loads(line)
    for line in (Path(__file__).parent.parent / "data" / "json_payloads.jsonl").open()
]
PLAIN_SCHEMA = json.loads(
    (Path(pipelines.__file__).parent / "schemas" / "phone-payload.schema.json").read_text()
)
RATES = st.sampled_from((200.0, 100.0, 60.0, 52.0, 1000.0, 59.94))


def _plain(readings: list[tuple[int, float]], name: str = "acc") -> bytes:
    samples = [{"t_us": t_us, name: [value, 0, 0]} for t_us, value in readings]
    return encoded({"samples": samples})


def _logged(*readings: tuple[str, int, float]) -> bytes:
    return encoded(
        {
            "payload": [
                {"name": name, "time": time_ns, "values": {"x": x, "y": 0, "z": 0}}
                for name, time_ns, x in readings
            ]
        }
    )


def _why(payload: bytes) -> tuple[str, str]:
    with pytest.raises(InvalidPayloadError) as caught:
        read_json(payload)
    return caught.value.reason, caught.value.detail


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["name"])
def test_a_golden_payload_becomes_what_the_fixture_says(case: dict[str, Any]) -> None:
    payload = case["payload"].encode()
    read = read_payload(payload, case["sample_rate_hz"])
    assert read == {"frames": case["frames"], "dead_letters": case["dead_letters"]}


@given(st.one_of(plain, logged, anything), RATES)
def test_the_verifiers_own_reading_agrees_with_the_operators(message: Any, rate: float) -> None:
    payload = encoded(message)
    found = resampled(payload, rate)
    if isinstance(found, DeadSpan):
        assert samples_of(payload, rate) == found.reason
        assert begin_us_of(payload) is None
    else:
        assert samples_of(payload, rate) == tuple(found[:4])
        assert begin_us_of(payload) == read_json(payload).begin_ns // 1000


@given(st.one_of(plain, logged), st.data())
def test_both_give_the_same_reason_for_json_that_is_cut_or_changed(
    message: Any, data: st.DataObject
) -> None:
    payload = bytearray(encoded(message))
    at = data.draw(st.integers(1, len(payload) - 1))
    if data.draw(st.booleans()):
        del payload[at:]
    else:
        payload[at] = data.draw(st.integers(0, 255))
    found = resampled(bytes(payload), 200.0)
    said = samples_of(bytes(payload), 200.0)
    assert said == (found.reason if isinstance(found, DeadSpan) else tuple(found[:4]))


@pytest.mark.parametrize(
    "text",
    [
        '{"samples":[{"t_us":1,"acc":[1e400,0,0]}]}',
        '{"samples":[{"t_us":1,"acc":[NaN,0,0]}]}',
        '{"samples":[{"t_us":1,"acc":[' + "9" * 400 + ",0,0]}]}",
        '{"samples":[{"t_us":1,"acc":[' + "9" * 30 + ",0,0]}]}",
        '{"samples":[{"t_us":1,"acc":[' + "9" * 5_000 + ",0,0]}]}",
        '{"samples":[{"t_us":1e3}]}',
        '{"samples":[{"t_us":true}]}',
        '{"samples":[{"t_us":-1}]}',
        '{"samples":[{"t_us":1,"t_us":2}]}',
        '{"samples":[{"t_us":1,"acc":[true,0,0]}]}',
        '{"samples":[]}',
        '{"samples":[{"t_us":1}],"payload":[]}',
        '{"payload":[{"name":"a","time":"01"}]}',
        '{"payload":[{"name":"a","time":"1\\n"}]}',
        '{"payload":[{"name":"a","time":"9999999999999999999"}]}',
        '{"payload":[{"name":"a","time":"\\u0661"}]}',
        '{"payload":[{"name":"a","time":1,"values":"\\ud800"}]}',
        '{"payload":[{"name":"gravity","time":1}]}',
        '{"payload":[{"name":"gravity","time":1,"values":{"x":1,"y":2}}]}',
        '{"a":1} x',
        "[" * 33 + "]" * 33,
        "[" * 200_000,
        '{"a":' * 50_000,
        '{"payload":[{"name":"' + "[" * 64 + '","time":1}]}',
        '{"payload":[{"name":"\\"[[[\\\\","time":1}]}',
    ],
)
def test_both_agree_on_what_is_at_the_edge_of_json(text: str) -> None:
    found = resampled(text.encode(), 200.0)
    said = samples_of(text.encode(), 200.0)
    assert said == (found.reason if isinstance(found, DeadSpan) else tuple(found[:4]))


@given(plain)
def test_the_schema_of_the_plain_form_accepts_what_is_read(message: Any) -> None:
    jsonschema.validate(message, PLAIN_SCHEMA)
    try:
        assert read_json(encoded(message)).form == "plain"
    except InvalidPayloadError as error:  # what lies between readings no schema can say
        assert "no reading for" in error.detail


@pytest.mark.parametrize(
    "sample",
    [
        {},
        {"t_us": -1},
        {"t_us": 2**62},
        {"t_us": 1.5},
        {"t_us": 1, "acc": [0, 0]},
        {"t_us": 1, "acc": [0, 0, 2e6]},
        {"t_us": 1, "acc": [0, 0, "1"]},
        {"t_us": 1, "temperature": 20},
    ],
)
def test_the_schema_refuses_what_is_refused(sample: dict[str, Any]) -> None:
    message = {"samples": [{"t_us": 1}, sample]}
    assert not jsonschema.Draft202012Validator(PLAIN_SCHEMA).is_valid(message)
    assert "`$.samples[1]" in _why(encoded(message))[1]


def test_an_error_says_where_in_the_payload_it_is() -> None:
    reading = {"name": "gravity", "time": START_NS, "values": {"x": 0, "y": 0, "z": 0}}
    wrong = {**reading, "values": {"x": "1", "y": 0, "z": 0}}
    assert _why(encoded({"payload": [reading, reading, reading, wrong]})) == (
        "invalid_payload",
        "Expected `float`, got `str` - at `$.payload[3].values.x`",
    )
    assert _why(encoded({"payload": [{"name": "gravity", "time": 1, "values": {"x": 0}}]}))[
        1
    ].endswith("at `$.payload[0].values`")
    assert _why(b'{"samples":[{"t_us":1,"acc":[0,1]}]}')[1].endswith("`$.samples[0].acc`")
    assert _why(b'{"samples":[{"t_us":1,"accel":[0,1,2]}]}')[1].endswith("`$.samples[0]`")
    assert _why(b"[]")[1].startswith("$: expected an object with `samples`")
    assert _why(b'{"samples":[')[0] == "invalid_json"


def test_json_bombs_are_refused_in_moments_with_their_reason() -> None:
    assert _why(b"[" * 262_144)[0] == "invalid_payload"
    assert _why(b'{"samples":[' + b'{"t_us":1},' * 23_000 + b'{"t_us":1}]}')[0] == "invalid_payload"
    assert _why(b'{"samples":' + b"[" * 31 + b"1" * 200_000 + b"]" * 31 + b"}")[0] == "invalid_json"


def test_a_hole_or_a_span_too_long_is_refused() -> None:
    assert "no reading for 2.1 s after" in _why(_plain([(0, 1), (10, 1), (2_100_010, 1)]))[1]
    assert "span 62 s" in _why(_plain([(i * 1_000_000, 1) for i in range(63)]))[1]


@given(
    st.floats(-5, 5),
    st.floats(-5, 5),
    st.integers(0, 10**6),
    st.lists(st.integers(1_000, 40_000), min_size=1, max_size=60),
    RATES,
)
def test_a_linear_signal_is_reproduced_within_half_a_count(
    offset: float, slope: float, begin_us: int, steps_us: list[int], rate: float
) -> None:
    begin_us += START_NS // 1000
    times = begin_us + np.cumsum([0, *steps_us])
    readings = [(int(t), offset + slope * (int(t) - begin_us) / 1e6) for t in times]
    (found,) = read_payload(_plain(readings), rate)["frames"]
    for sample in found["samples"]:
        t_us = sample["timestamp_us"]
        assert t_us >= begin_us
        expected = offset + slope * min(t_us - begin_us, int(times[-1]) - begin_us) / 1e6
        # The time shown is rounded to a microsecond.
        assert abs(sample["acc_x"] - expected) <= ACC_G / 2 + 2e-6 * abs(slope) + 1e-9


@given(
    st.integers(0, 10**9),
    st.sampled_from((5_000, 10_000, 16_667, 20_000)),
    st.lists(st.integers(-25, 25), min_size=40, max_size=40),
    st.lists(st.integers(1, 39), min_size=1, max_size=4, unique=True),
    RATES,
)
@example(0, 16_667, [0] * 40, [20], 60.0)
def test_consecutive_payloads_leave_no_sample_out(
    begin_us: int, interval_us: int, jitter: list[int], cuts: list[int], rate: float
) -> None:
    """However the readings of a device are cut into payloads of two or more, and jitter."""
    times = [
        START_NS // 1000 + begin_us + i * interval_us + interval_us * j // 200
        for i, j in enumerate(jitter)
    ]
    bounds = [0, *sorted(cut for cut in cuts if 2 <= cut <= 38), 40]
    bounds = [b for i, b in enumerate(bounds) if i == 0 or b - bounds[i - 1] >= 2]
    bounds[-1] = 40
    numbers: set[int] = set()
    for first, end in pairwise(bounds):
        found = resampled(_plain([(t, 1.0) for t in times[first:end]]), rate)
        assert not isinstance(found, DeadSpan)
        base = found.base_sample_number
        numbers |= set(range(base, base + found.num_samples))
    if len(bounds) > 1:
        assert numbers == set(range(min(numbers), max(numbers) + 1))


def test_a_samples_number_is_its_place_on_the_grid_of_the_epoch() -> None:
    (one,) = read_payload(_plain([(1_000_001, 0), (1_010_001, 0)]), 200.0)["frames"]
    assert (one["base_sample_number"], one["timestamp_us"]) == (201, 1_005_000)
    assert [s["timestamp_us"] for s in one["samples"]] == [1_005_000, 1_010_000, 1_015_000,
                                                           1_020_000, 1_025_000]  # fmt: skip


def test_a_lone_reading_is_one_sample() -> None:
    (one,) = read_payload(_plain([(1_000_001, 0.5)]), 200.0)["frames"]
    assert one["num_samples"] == 1
    assert one["samples"][0]["acc_x"] == pytest.approx(0.5, abs=ACC_G)


def test_acceleration_is_total_or_the_sum_with_gravity_or_alone() -> None:
    at = START_NS
    g = 9.80665
    for payload, expected in (
        (_logged(("accelerometer", at, g), ("gravity", at, g)), 2),
        (_logged(("accelerometer", at, g)), 1),
        (_logged(("accelerometer", at, g), ("totalacceleration", at, 3 * g)), 3),
        (_logged(("accelerometeruncalibrated", at, 1), ("gyroscope", at, 1)), 0),
    ):
        (one,) = read_payload(payload, 200.0)["frames"]
        assert one["samples"][0]["acc_x"] == pytest.approx(expected, abs=ACC_G)


def test_sensor_loggers_units_become_a_frames() -> None:
    at = START_NS
    payload = _logged(("gyroscope", at, 1.5), ("magnetometer", at, 50.0))
    (one,) = read_payload(payload, 200.0)["frames"]
    (sample,) = one["samples"]
    assert sample["gyro_x"] == pytest.approx(1.5, abs=math.radians(0.14))
    assert sample["mag_x"] == pytest.approx(0.5, abs=1 / 1711)
    assert sample["acc_x"] == sample["temp_raw"] == 0


def test_a_message_without_motion_is_a_heartbeat() -> None:
    payload = encoded({"payload": [{"name": "location", "time": START_NS, "values": {"lat": 1}}]})
    (one,) = read_payload(payload, 200.0)["frames"]
    assert one["num_samples"] == 0
    assert one["timestamp_us"] == START_NS // 1000


def test_a_value_beyond_a_frames_range_is_put_at_its_end_and_counted() -> None:
    payload = _plain([(1_000_000, 100), (1_010_000, -100), (1_020_000, 0)])
    found = resampled(payload, 200.0)
    assert not isinstance(found, DeadSpan)
    assert found.clipped == 3
    (one,) = read_payload(payload, 200.0)["frames"]
    assert one["samples"][0]["acc_x"] == 32767 * ACC_G
    assert one["samples"][2]["acc_x"] == -32768 * ACC_G


def test_what_holds_a_frame_is_never_json() -> None:
    whole = frame(7, 1_000_000, 3)
    assert is_json(b"{}")
    assert is_json(b"[")
    assert not is_json(b"{" + whole)
    frames, dead = scan_any(b"{" + whole, 200.0)
    assert [f.base_sample_number for f in frames] == [7]
    assert [d.reason for d in dead] == ["not_a_frame"]


@given(st.lists(st.one_of(plain.map(encoded), st.just(frame(7, 1_000_000, 3)), st.just(b"{"))))
def test_json_and_frames_side_by_side_are_read_each_for_itself(batch: list[bytes]) -> None:
    table = tabulate(batch, 200.0)
    for i, payload in enumerate(batch):
        frames, dead = scan_any(payload, 200.0)
        rows = slice(table.first_frame[i], table.first_frame[i + 1])
        at = int(table.payload_start[i])
        assert (table.start[rows] - at).tolist() == [f.start for f in frames]
        assert (table.end[rows] - at).tolist() == [f.end for f in frames]
        assert table.base[rows].tolist() == [f.base_sample_number for f in frames]
        assert [span for j, span in table.dead if j == i] == dead
        for row in range(rows.start, rows.stop):
            begin = int(table.read_at[row]) + 18
            data = table.buffer[begin : begin + 20 * int(table.samples[row])].tobytes()
            if is_json(payload):
                found = resampled(payload, 200.0)
                assert not isinstance(found, DeadSpan)
                assert data == found.data
            else:
                assert data == payload[18:-2]
