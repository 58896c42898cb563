"""Which offsets a backfill replays."""

import pytest

from pipelines import topics
from pipelines.archive.layout import ArchivedHour, OffsetRange
from pipelines.backfill.plan import (
    FileTimes,
    PartitionPlan,
    plan_partition,
    ranges_by_partition,
)
from pipelines.backfill.sensor_choice import parse_choice
from pipelines.backfill.time_span import TimeSpan, parse_span
from pipelines.errors import ConfigurationError, DataError

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US


def file(start: int, end: int, hour: int = 0, partition: int = 3) -> ArchivedHour:
    return ArchivedHour(OffsetRange(topics.RAW, partition, start, end), hour)


def plan(files: list[ArchivedHour], span: TimeSpan, warm_up_us: int) -> PartitionPlan | None:
    """Plan for files whose offset n was sent and received in minute n."""

    def times(one: ArchivedHour) -> FileTimes:
        first, last = one.range.start * MINUTE_US, (one.range.end - 1) * MINUTE_US
        return FileTimes(first, last, first, last)

    ranges = ranges_by_partition(files)[3]
    return plan_partition(3, ranges, span, times, reach_us=MINUTE_US, warm_up_us=warm_up_us)


TENS = [file(at, at + 10) for at in range(0, 200, 10)]


def test_files_of_one_range_in_several_hours_are_one_range() -> None:
    ranges = ranges_by_partition([file(0, 5, 1), file(5, 9, 1), file(0, 5, 0), file(0, 4, 0, 4)])
    assert [(r.start, r.end, len(r.files)) for r in ranges[3]] == [(0, 5, 2), (5, 9, 1)]
    assert [(r.start, r.end) for r in ranges[4]] == [(0, 4)]


def test_a_hole_in_the_archive_is_named() -> None:
    with pytest.raises(DataError, match=r"lacks offsets 5 to 6 of imu-data-all/3"):
        ranges_by_partition([file(0, 5), file(7, 9)])


def test_offsets_archived_twice_are_named() -> None:
    with pytest.raises(DataError, match=r"has twice offsets 4 to 4 of imu-data-all/3"):
        ranges_by_partition([file(0, 5), file(4, 9)])


def test_without_a_span_all_is_replayed() -> None:
    assert plan(TENS, TimeSpan(), HOUR_US) == PartitionPlan(3, 0, 0, 0, 200, 200)


def test_a_later_start_warms_up_on_the_hour_before_it() -> None:
    found = plan(TENS, TimeSpan(125 * MINUTE_US, 135 * MINUTE_US), HOUR_US)
    assert found == PartitionPlan(3, 0, 60, 120, 140, 200)
    assert not found.whole


def test_a_start_near_the_beginning_of_the_topic_is_exact() -> None:
    found = plan(TENS, TimeSpan(35 * MINUTE_US, None), HOUR_US)
    assert found == PartitionPlan(3, 0, 0, 30, 200, 200)
    assert found.whole


def test_a_payload_that_begins_before_the_span_and_reaches_into_it_is_replayed() -> None:
    found = plan(TENS, TimeSpan(70 * MINUTE_US, None), 0)
    assert found is not None
    assert found.emit_start == 60


def test_records_received_in_the_span_count_however_wrong_their_clock_is() -> None:
    def times(one: ArchivedHour) -> FileTimes:
        return FileTimes(0, 1, one.range.start * MINUTE_US, (one.range.end - 1) * MINUTE_US)

    span = TimeSpan(100 * MINUTE_US, 110 * MINUTE_US)
    ranges = ranges_by_partition(TENS)[3]
    found = plan_partition(3, ranges, span, times, reach_us=0, warm_up_us=0)
    assert found is not None
    assert (found.emit_start, found.emit_end) == (100, 110)


def test_a_partition_without_a_record_of_the_span_is_left_out() -> None:
    assert plan(TENS, TimeSpan(500 * MINUTE_US, None), HOUR_US) is None


@pytest.mark.parametrize(
    ("text", "time_us"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000),
        ("1970-01-01T01:00:00.000002+01:00", 2),
        ("1970-01-02", 86_400_000_000),
        ("1763994123456789", 1_763_994_123_456_789),
        ("-5", -5),
    ],
)
def test_a_time_is_iso_or_microseconds(text: str, time_us: int) -> None:
    assert parse_span(text, None) == TimeSpan(time_us, None)


def test_what_is_no_time_and_an_empty_span_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="--to 'noon' is no time"):
        parse_span(None, "noon")
    with pytest.raises(ConfigurationError, match="not before"):
        parse_span("5", "5")


def test_sensors_are_chosen_by_id_or_glob() -> None:
    choice = parse_choice("left, arm*")
    assert [choice.includes(s) for s in ("left", "arm7", "lefty", "Arm7")] == [
        True,
        True,
        False,
        False,
    ]
    assert parse_choice(None).includes("anything")
