"""What the changelog says of a sensor tells when a sample was taken and whether it came."""

from cluster.trace.locate import boots_to_try
from cluster.trace.sensor_line import BootLine, SensorLine, line_of
from pipelines.changelog import Saved
from pipelines.operators.sensor_processing import SensorProcessing
from pipelines.settings import ProcessingSettings
from tests.unit.frame_building import START_US, batch, frame, record

SENSOR = "wearable-7"


def _saved(*frames: tuple[int, int]) -> Saved:
    """State after frames of 10 samples, each (first sample, timestamp in microseconds)."""
    operator = SensorProcessing(ProcessingSettings(), "test")
    state = operator.new_state(3)
    payloads = [frame(base, at_us, 10) for base, at_us in frames]
    operator.step(state, batch([record(each, SENSOR.encode()) for each in payloads]))
    changes = {key: value for key, value in operator.changes(state) if value is not None}
    return Saved(None, None, changes)


def test_a_line_says_when_a_sample_was_taken_and_which_came() -> None:
    saved = _saved((0, START_US - 100_000), (20, START_US))
    line = line_of(saved, 3, SENSOR)
    assert line is not None
    (boot,) = line.boots
    assert (boot.boot, boot.seen) == (0, ((0, 10), (20, 30)))
    assert [boot.has(number) for number in (5, 15, 25, 35)] == [True, False, True, False]
    assert boot.expected_us(10, 200.0) == START_US - 50_000
    assert line_of(saved, 3, "another") is None


def test_boots_in_which_a_sample_cannot_be_are_not_tried() -> None:
    newest = BootLine(5, 0, 0, 0, ((0, 100),), 0)
    before = BootLine(4, 0, 0, 50, ((60, 1_000),), 0)
    line = SensorLine((newest, before), 0, False)
    assert list(boots_to_try(line, 70, None)) == [5, 4, 3, 2, 1, 0]
    assert list(boots_to_try(line, 500, None)) == [4, 3, 2, 1, 0]
    assert list(boots_to_try(line, 5_000, None)) == [3, 2, 1, 0]
    assert list(boots_to_try(line, 500, 5)) == [5]
    assert list(boots_to_try(None, 500, None)) == [0]
