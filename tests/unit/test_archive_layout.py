"""Paths of the archive's files: hours of event time, whatever time a device claims."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import topics
from pipelines.archive.layout import ArchivedHour, OffsetRange, hours_of, parse_path, path_of

_RANGE = OffsetRange("imu-data-all", 3, 120, 560)
_LARGEST_HOUR = 2**63 // 3_600_000_000


def _hour(time_us: int) -> int:
    return int(hours_of(np.array([time_us], np.int64))[0])


@pytest.mark.parametrize(
    ("time_us", "folder"),
    [
        (0, "dt=1970-01-01/hour=00"),
        (-1, "dt=1969-12-31/hour=23"),
        (1_767_225_599_999_999, "dt=2025-12-31/hour=23"),
        (1_767_225_600_000_000, "dt=2026-01-01/hour=00"),
        (2**62, "dt=148108-07-06/hour=14"),
        (-62_167_222_800_000_000, "dt=-001-12-31/hour=23"),
    ],
)
def test_a_row_lies_in_the_hour_of_its_own_time(time_us: int, folder: str) -> None:
    file = ArchivedHour(_RANGE, _hour(time_us))
    path = path_of(file)
    assert parse_path(path) == file
    assert path == f"imu-data-all/{folder}/imu-data-all+3+120-560.parquet"


@settings(deadline=None)
@given(
    st.sampled_from(topics.SINKS[topics.ARCHIVE]),
    st.integers(0, 9),
    st.integers(0, 2**62),
    st.integers(1, 2**40),
    st.integers(-_LARGEST_HOUR, _LARGEST_HOUR),
)
def test_a_path_says_what_it_was_made_of(
    topic: str, partition: int, start: int, length: int, hour: int
) -> None:
    file = ArchivedHour(OffsetRange(topic, partition, start, start + length), hour)
    assert parse_path(path_of(file)) == file


@pytest.mark.parametrize(
    "path",
    [
        "imu-data-all/dt=2026-01-01/hour=00/dead-letters+3+120-560.parquet",
        "imu-data-all/dt=2026-13-01/hour=00/imu-data-all+3+120-560.parquet",
        "imu-data-all/dt=2026-01-01/hour=00/.imu-data-all+3+120-560.parquet.0f.partial",
        "imu-data-all/dt=2026-01-01/imu-data-all+3+120-560.parquet",
        "models/velocity/1/model.onnx",
    ],
)
def test_what_is_not_a_file_of_the_archive_has_no_place_in_it(path: str) -> None:
    assert parse_path(path) is None
