"""Records of the six topics as rows: all of them, in the columns of the archive."""

from collections.abc import Sequence
from typing import Any

import pytest

from pipelines import topics
from pipelines.archive.record import Record, UnreadableRecordError
from pipelines.archive.rows import has_rows, rows_of
from pipelines.archive.schemas import SCHEMAS
from pipelines.redrive.letter import letter_of
from pipelines.redrive.receipt import Receipt, receipt_record
from pipelines.redrive.request_record import request_headers
from pipelines.verify.archived_records import TopicRecord, expected_rows
from pipelines.verify.row_hashes import row_hashes, same_rows
from tests.unit.archive_records import (
    MODEL,
    START_US,
    motion,
    predicted,
    samples,
    session,
    tick,
    velocity,
)
from tests.unit.frame_building import frame


def _rows(topic: str, records: Sequence[Record]) -> list[dict[str, Any]]:
    table = rows_of(topic, [record for record in records if has_rows(topic, record)])
    assert table.column_names == SCHEMAS[topic].names
    return table.cast(SCHEMAS[topic]).to_pylist()


def _raw(offset: int, value: bytes, key: bytes | None = b"s") -> Record:
    return Record(offset, key, value, {"received-us": b"5000"}, 1)


def test_a_raw_record_has_the_time_of_its_first_good_frame() -> None:
    good = frame(7, START_US, 2)
    rows = _rows(topics.RAW, [_raw(1, good), _raw(2, b"junk" + good), _raw(4, b"junk")])
    assert [row["timestamp_us"] for row in rows] == [START_US, START_US, 5000]
    assert [row["received_us"] for row in rows] == [5000] * 3
    assert [row["value"] for row in rows] == [good, b"junk" + good, b"junk"]
    assert [row["offset"] for row in rows] == [1, 2, 4]


def test_a_tick_is_a_row_of_raw_and_of_no_other_topic() -> None:
    (row,) = _rows(topics.RAW, [tick(3)])
    assert row["sensor_id"] is None
    assert row["value"] == tick(3).value
    for topic in set(topics.SINKS[topics.ARCHIVE]) - {topics.RAW}:
        assert not has_rows(topic, tick(3))


def test_a_frame_of_the_largest_time_is_kept() -> None:
    (row,) = _rows(topics.RAW, [_raw(1, frame(0, 2**64 - 1, 1))])
    assert row["timestamp_us"] == 2**62


def test_samples_of_many_streams_follow_one_another_with_their_offsets() -> None:
    one = samples(4, [("b", START_US), ("a", START_US + 1)])
    two = samples(9, [("a", START_US + 2), ("c", START_US + 3)])
    rows = _rows(topics.TRANSFORMED, [one, tick(6), two])
    assert [(row["sensor_id"], row["offset"]) for row in rows] == [
        ("b", 4),
        ("a", 4),
        ("a", 9),
        ("c", 9),
    ]


def test_each_prediction_names_its_model() -> None:
    rows = _rows(topics.PREDICTIONS, [predicted(4, [("a", START_US)])])
    assert [rows[0][f"model_{name}"] for name in MODEL._fields] == list(MODEL)


def test_windows_of_both_kinds_share_columns() -> None:
    first, second = _rows(topics.AGGREGATED, [motion(1), velocity(2)])
    assert (first["kind"], first["acc_mag_rms"], first["velocity_max"]) == ("motion", 1.1, None)
    assert (second["kind"], second["model_version"], second["gaps"]) == ("velocity", "3", None)


def test_a_letter_without_headers_is_kept_at_its_own_time() -> None:
    (row,) = _rows(topics.DEAD_LETTERS, [Record(5, b"\xff", b"junk", {}, 77)])
    assert (row["sensor_id"], row["failed_us"], row["reason"]) == ("�", 77, "")
    assert row["value"] == b"junk"


@pytest.mark.parametrize(
    ("topic", "record"),
    [
        (topics.TRANSFORMED, Record(8, None, b"no stream", {}, 0)),
        (topics.TRANSFORMED, predicted(8, [("a", START_US)])),
        (topics.PREDICTIONS, samples(8, [("a", START_US)])),
        (topics.PREDICTIONS, predicted(8, [("a", START_US)], model=None)),
        (topics.AGGREGATED, motion(8, samples="many")),
        (topics.AGGREGATED, motion(8, colour="red")),
        (topics.AGGREGATED, Record(8, b"a", b"{", {}, 0)),
        (topics.SESSIONS, session(8, revision=None)),
        (topics.SESSIONS, session(8, mood="good")),
    ],
)
def test_a_derived_record_of_another_form_is_refused_with_its_offset(
    topic: str, record: Record
) -> None:
    with pytest.raises(UnreadableRecordError) as refused:
        rows_of(topic, [record])
    assert refused.value.offset == 8


@pytest.mark.parametrize(
    ("topic", "records"),
    [
        (topics.RAW, [_raw(1, frame(0, START_US, 3)), tick(2), _raw(3, b"junk")]),
        (topics.RAW, [_raw(1, b'{"samples":[{"t_us":7001}]}'), _raw(3, b"{}")]),
        (topics.TRANSFORMED, [samples(1, [("b", START_US), ("a", -5)]), tick(2)]),
        (topics.AGGREGATED, [motion(1), velocity(2, "ä"), tick(3)]),
        (topics.PREDICTIONS, [predicted(1, [("b", START_US), ("a", 5)]), tick(2)]),
        (topics.SESSIONS, [session(1), session(2, velocity_max=1.5, closed_by="gap")]),
        (topics.DEAD_LETTERS, [Record(5, b"\xff", b"junk", {"detail": b"\xfe"}, 77)]),
    ],
)
def test_the_proof_decodes_records_to_the_same_rows_on_its_own(
    topic: str, records: list[Record]
) -> None:
    kept = [record for record in records if has_rows(topic, record)]
    expected = expected_rows(topic, [TopicRecord(*record) for record in records])
    names = SCHEMAS[topic].names
    assert same_rows(row_hashes(rows_of(topic, kept), names), row_hashes(expected, names))


def test_requests_to_redrive_and_their_receipts_are_rows_that_verification_expects() -> None:
    letter = letter_of(3, 50, b"s", b"data", _LETTER_HEADERS, 99)
    request = dict(request_headers(letter, "somebody", 5))
    made = receipt_record(Receipt(50, 60, 70, "redriven"), b"s", "sensor-processing", 3, "abc")
    written = [(60, b"data", request), (61, bytes(made.value), dict(made.headers))]
    records = [Record(at, b"s", value, headers, 77) for at, value, headers in written]
    rows = rows_of(topics.DEAD_LETTERS, records)
    expected = expected_rows(
        topics.DEAD_LETTERS,
        [TopicRecord(at, b"s", value, headers, 77) for at, value, headers in written],
    )
    assert rows.to_pylist() == expected.to_pylist()
    assert [row["reason"] for row in rows.to_pylist()] == ["redrive_requested", "redriven"]
    assert [row["source"] for row in rows.to_pylist()] == ["dead-letters/3/50"] * 2


_LETTER_HEADERS = {
    "pipeline": b"sensor-processing",
    "source": b"imu-data-all/3/41",
    "failed-us": b"17",
}
