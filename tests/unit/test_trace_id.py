"""A frame's id is told from a sensor's, and what is neither is refused in words."""

import pytest

from cluster.trace.trace_id import first_sample, is_trace_id
from pipelines.errors import DataError
from pipelines.settings import Settings


def test_a_sensors_id_is_no_frames_id() -> None:
    assert is_trace_id("imu-data-all/3/918273")
    assert not is_trace_id("wearable-7")


@pytest.mark.parametrize(
    "text",
    ["imu-data-all/3", "imu-data-all/3/x", "imu-data-all/10/1", "dead-letters/3/1", "/", "a/-1/2"],
)
def test_what_is_no_id_is_refused_before_anything_is_asked(text: str) -> None:
    with pytest.raises(DataError, match="imu-data-all/PARTITION/OFFSET"):
        first_sample(Settings(), text, 1.0)
