"""A dead letter is shown as it is, whatever it lacks, and is refused a redrive with a reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.letter_lines import at, hexdump, scanned, summary
from pipelines import topics
from pipelines.redrive.choice import LetterChoice, why_not_redriven
from pipelines.redrive.letter import Letter, Source, letter_of
from pipelines.redrive.redrive import REFUSALS_KEPT, RedriveReport
from pipelines.redrive.request_record import RedriveRequest, read_request, request_headers
from tests.unit.frame_building import START_US, frame_on_time

WHOLE = {
    "reason": b"crc_mismatch",
    "detail": b"of a test",
    "pipeline": b"sensor-processing",
    "source": b"imu-data-all/3/41",
    "byte-range": b"10-14",
    "failed-us": b"17",
    "code-version": b"abc",
}


def letter(value: bytes = b"data", key: bytes | None = b"s", **headers: bytes) -> Letter:
    """A letter with other headers than those of a whole one."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return letter_of(3, 50, key, value, WHOLE | named, 99)


def test_a_letter_says_all_that_its_headers_do() -> None:
    found = letter()
    assert found.source == Source("imu-data-all", 3, 41)
    assert (found.byte_range, found.failed_us, found.written_us) == ((10, 14), 17, 99)
    assert (found.place, found.sensor_id, found.size) == ("3/50", "s", 4)


@given(st.dictionaries(st.sampled_from([*WHOLE, "redrive-of"]), st.binary()), st.binary())
def test_any_record_can_be_shown(headers: dict[str, bytes], value: bytes) -> None:
    found = letter_of(3, 50, value, value, headers, 99)
    assert found.failed_us >= 0
    why_not_redriven(found)
    assert sum(len(line.split("  ")[1].split()) for line in hexdump(value)) == len(value)
    assert list(scanned(value, 200.0))


@given(st.binary(max_size=30), st.integers(0, 10**9), st.integers(0, 10**17))
def test_a_request_is_read_back(value: bytes, source: int, failed_us: int) -> None:
    asked = letter(
        value,
        source=b"imu-data-all/3/%d" % source,
        failed_us=b"%d" % failed_us,
        byte_range=b"7-%d" % (7 + len(value)),
    )
    headers = dict(request_headers(asked, "somebody", 5))
    request = read_request(60, asked.key, asked.value, headers, "imu-data-all/3")
    assert request == RedriveRequest(60, 50, b"s", value, source, 7, failed_us)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (letter(), None),
        (letter(pipeline=b"bridge"), "publish again"),
        (letter(pipeline=b"ml-inference"), "backfill"),
        (letter(pipeline=b"session-aggregation"), "redrive the bytes"),
        (letter(pipeline=b""), "no pipeline"),
        (letter(source=b"imu-data-all/4/41"), "is no record of imu-data-all/3"),
        (letter(source=b"nothing"), "is no record"),
        (letter(key=None), "names no sensor"),
    ],
)
def test_what_cannot_be_redriven_has_a_reason(found: Letter, why: str | None) -> None:
    said = why_not_redriven(found)
    assert said is None if why is None else why in (said or "")


def test_letters_are_chosen_by_reason_pipeline_and_sensor() -> None:
    assert LetterChoice().holds(letter())
    assert LetterChoice("crc_mismatch", "sensor-processing", "s").holds(letter())
    assert not LetterChoice(sensor="another").holds(letter())
    assert not LetterChoice(reason="too_old").holds(letter())
    assert not LetterChoice(pipeline="bridge").holds(letter())


def test_the_bytes_are_shown_with_what_the_scanner_says() -> None:
    value = b"junk" + frame_on_time(0, 3) + frame_on_time(3, 0)
    lines = list(scanned(value, 200.0))
    assert lines[0].startswith("bytes 0-4: not_a_frame, begins with 6a75")
    assert "a good frame of samples 0 to 2 from 2025-10-09" in lines[1]
    assert "a good heartbeat" in lines[2]
    first, *_, last = hexdump(value, 32)
    assert first == f"00000000  {value[:16].hex(' ')}  junk|.J........."
    assert last.startswith(f"... {len(value) - 32} more bytes")


def test_a_time_that_no_calendar_has_is_a_number() -> None:
    assert at(START_US).startswith("2025-10-09")
    assert at(2**62) == f"{2**62} us"


def test_a_summary_says_what_became_of_all() -> None:
    report = RedriveReport(matched=203, requested=3, redriven=2, pending=1)
    report.counts.update({"frames": 2, "transformed": 1, "dead_letters": 1})
    for offset in range(200):
        report.refuse((1, offset), "a reason")
    lines = list(summary(report, dry_run=False))
    assert "2 redriven, 0 were before, 200 refused, 1 requested and not stepped yet" in lines[0]
    assert "1 transformed" in lines[1]
    assert len(lines) == 3 + REFUSALS_KEPT
    assert lines[-1] == "... and 100 more refused"
    assert "3 would be redriven" in next(summary(report, dry_run=True))


def test_readers_that_know_no_redrives_take_a_request_for_a_letter_of_the_letter() -> None:
    headers = dict(request_headers(letter(), "somebody", 5))
    as_letter = letter_of(3, 60, b"s", b"data", headers, 99)
    assert as_letter.source == Source(topics.DEAD_LETTERS, 3, 50)
    assert (as_letter.reason, as_letter.detail) == ("redrive_requested", "asked for by somebody")
