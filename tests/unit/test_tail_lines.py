"""What `imustream tail` shows of each kind of record."""

import json
from typing import Any

import pytest
from live_records import (
    GOLDEN,
    SESSION,
    VELOCITY_WINDOW,
    WINDOW,
    samples,
    transformed_record,
)

from cluster.record_lines import Record, entries, json_line, line
from pipelines import topics

LEDGER = {"generation": 2, "slot": 1, "next_offset": 9, "counts": {"frames": 5}}
SESSION_COUNTS = {
    "records": 9,
    "ticks": 2,
    "windows": 7,
    "sessions_started": 1,
    "sessions_closed": 0,
    "events": 3,
    "dead_letters": 0,
}
CONTROL = {"pipeline": "sensor-processing", "slots": 2}


def _record(topic: str, key: bytes | None, value: bytes | None, **headers: bytes) -> Record:
    named = {name.replace("_", "-"): header for name, header in headers.items()}
    return Record(topic, 3, 17, 1_760_000_000_123, key, value, named)


RECORDS = [
    (
        _record(topics.RAW, b"sensor1", bytes.fromhex(GOLDEN[0]["payload_hex"])),
        "08:53:20.123 3@17 sensor1  40 B, frame 7 +1 at 1760000000000000 us",
    ),
    (
        _record(topics.TRANSFORMED, None, transformed_record([samples("sensor1", 64, 64)])),
        "08:53:20.123 3@17 sensor1  boot ",
    ),
    (
        _record(topics.AGGREGATED, b"sensor1", json.dumps(WINDOW).encode()),
        "08:53:20.123 3@17 sensor1  motion window 0-2000000 us  samples 400 gaps 0 late 0",
    ),
    (
        _record(topics.AGGREGATED, b"sensor1", json.dumps(VELOCITY_WINDOW).encode()),
        "08:53:20.123 3@17 sensor1  velocity window 0-2000000 us  samples 400 resets 1 skipped 0  "
        "at most 1.250 m/s, 0.500 m, moving 25%  model velocity 3  closed by time",
    ),
    (
        _record(topics.SESSIONS, b"sensor1", json.dumps(SESSION).encode()),
        "08:53:20.123 3@17 sensor1  session sensor1_0 closed by gap, revision 4  "
        "20 s in 10 windows  samples 4000 gaps 0 late 0  acceleration to 2.000 g "
        "rotation to 1.000 rad/s  at most 1.250 m/s, 5.000 m",
    ),
    (
        _record(topics.DEAD_LETTERS, b"sensor1", b"\x7c\x1e", reason=b"crc_mismatch"),
        "08:53:20.123 3@17 sensor1  crc_mismatch: ",
    ),
    (
        _record(topics.CONTROL, b"sensor-processing", json.dumps(CONTROL).encode()),
        '08:53:20.123 3@17 -  sensor-processing {"pipeline":"sensor-processing","slots":2}',
    ),
    (_record(topics.CONTROL, b"alarm/x/1", None), "08:53:20.123 3@17 -  alarm/x/1 taken back"),
    (
        _record(topics.SENSOR_PROCESSING_CHANGELOG, b"ledger", json.dumps(LEDGER).encode()),
        "08:53:20.123 3@17 -  slot 2.1 next 9  frames 5",
    ),
    (
        _record(
            topics.SESSION_AGGREGATION_CHANGELOG,
            b"ledger",
            json.dumps(LEDGER | {"counts": SESSION_COUNTS}).encode(),
        ),
        "08:53:20.123 3@17 -  slot 2.1 next 9  records 9 windows 7 sessions_started 1 "
        "sessions_closed 0 events 3 dead_letters 0",
    ),
]


@pytest.mark.parametrize(("record", "begins"), RECORDS)
def test_each_kind_of_record_becomes_a_line_and_an_object(record: Record, begins: str) -> None:
    (entry,) = entries(record)
    assert line(record, entry).startswith(begins)
    shown: dict[str, Any] = json.loads(json_line(record, entry))
    assert (shown["topic"], shown["partition"], shown["offset"]) == (record.topic, 3, 17)


def test_a_transformed_record_shows_each_of_its_sensors() -> None:
    value = transformed_record([samples("a", 0, 3), samples("b", 0, 2)])
    shown = list(entries(_record(topics.TRANSFORMED, None, value)))
    assert [entry.sensor_id for entry in shown] == ["a", "b"]


@pytest.mark.parametrize("key", [b"s/sensor1", b"snapshot"])
def test_the_runtimes_other_books_and_ticks_show_nothing(key: bytes) -> None:
    assert not list(entries(_record(topics.SENSOR_PROCESSING_CHANGELOG, key, b"x")))
    tick = _record(topics.RAW, None, b"{}", content_type=topics.TICK_TYPE.encode())
    assert not list(entries(tick))
