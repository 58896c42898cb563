"""From when on a replay that began in the middle knows a sensor."""

from pipelines.backfill.exactness import has_open_windows, settle_us, settled
from pipelines.operators.sensor_processing import SensorProcessing
from pipelines.operators.sensor_state import PartitionState
from pipelines.settings import ProcessingSettings
from tests.unit.frame_building import PERIOD_US, START_US, Record, batch, frame_on_time, record

SETTINGS = ProcessingSettings()
FRAME_US = 64 * PERIOD_US


def state_after(records: list[Record]) -> PartitionState:
    operator = SensorProcessing(SETTINGS)
    state = operator.new_state(0)
    operator.step(state, batch(records))
    return state


def frames(first: int, last: int, start_us: int = START_US) -> list[Record]:
    """Frames of 0.32 s of a device that began at ``start_us``."""
    return [record(frame_on_time(64 * n, start_us=start_us)) for n in range(first, last)]


def test_a_sensor_followed_for_long_enough_is_exact_at_once() -> None:
    assert settle_us(SETTINGS) == 8_000_000
    found = settled(state_after(frames(1_000, 1_027)), SETTINGS)
    assert found.known == {"sensor1"}
    assert found.exact_from_us == {}


def test_a_sensor_heard_shortly_before_is_exact_a_little_later() -> None:
    found = settled(state_after(frames(1_000, 1_010)), SETTINGS)
    assert found.exact_from_us == {"sensor1": START_US + 1_000 * FRAME_US + 8_000_000}


def test_a_sensor_whose_first_frames_came_in_the_wrong_order_is_not_exact_before_it_restarts() -> (
    None
):
    """The new boot's first frame has overtaken the old boot's last: it looks like two restarts."""
    restart_us = START_US + 1_001 * FRAME_US
    new = frames(0, 100, restart_us)
    records = [new[0], *frames(1_000, 1_001), *new[1:]]
    assert settled(state_after(records), SETTINGS).exact_from_us == {"sensor1": None}
    again = frames(0, 60, restart_us + 101 * FRAME_US)
    assert settled(state_after([*records, *again]), SETTINGS).exact_from_us == {}


def test_open_windows_are_looked_for_in_the_span_alone() -> None:
    state = state_after(frames(0, 2))
    begins_us = START_US // 2_000_000 * 2_000_000
    assert has_open_windows(state, None, None)
    assert has_open_windows(state, begins_us, begins_us + 1)
    assert not has_open_windows(state, begins_us + 1, None)
    assert not has_open_windows(state, None, begins_us)
