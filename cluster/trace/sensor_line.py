"""What sensor_processing knows of a sensor: its boots, their lines of number against time. Pure."""

from typing import NamedTuple

from pipelines.changelog import Saved
from pipelines.operators.layout import NONE
from pipelines.operators.sensor_state import KEY_PREFIX, restore


class BootLine(NamedTuple):
    """A boot of a sensor.

    anchor_sample, anchor_us: a point of its line, the newest frame's, by the device's clock
    floor:                    sample numbers below are no longer known
    seen:                     sample numbers that were taken in, [start, end) each, rising
    closed_until_us:          windows that begin before are closed
    """

    boot: int
    anchor_sample: int
    anchor_us: int
    floor: int
    seen: tuple[tuple[int, int], ...]
    closed_until_us: int

    def expected_us(self, sample: int, rate_hz: float) -> int:
        """Return when the device took a sample, by its own clock, if that was not set since."""
        return self.anchor_us + round((sample - self.anchor_sample) * 1e6 / rate_hz)

    def has(self, sample: int) -> bool | None:
        """Return whether a sample was taken in; None where that is no longer known."""
        if sample < self.floor:
            return None
        return any(start <= sample < end for start, end in self.seen)


class SensorLine(NamedTuple):
    """A sensor as of the last snapshot.

    boots:           the newest first, two at most
    clock_ahead_us:  its clock less the bridge's at its last frame
    silent:          whether its windows were closed for its silence
    """

    boots: tuple[BootLine, ...]
    clock_ahead_us: int
    silent: bool

    def of_boot(self, boot: int) -> BootLine | None:
        """Return what is known of a boot."""
        return next((line for line in self.boots if line.boot == boot), None)


def line_of(saved: Saved, partition: int, sensor_id: str) -> SensorLine | None:
    """Return what a changelog's partition says of a sensor; None where it says nothing.

    Raises:
        DataError: it was written by another layout.
    """
    key = KEY_PREFIX + sensor_id.encode()
    value = saved.records.get(key)
    if value is None:
        return None
    state = restore(partition, [(key, value)], {})
    row = state.rows[sensor_id.encode()]
    sensor = state.tables.sensors[row]
    lines = []
    for at in (2 * row, 2 * row + 1):
        boot = state.tables.boots[at]
        if boot["number"] != NONE:
            pairs = state.tables.intervals[at, : boot["intervals"]].tolist()
            lines.append(
                BootLine(
                    int(boot["number"]),
                    int(boot["anchor_sample"]),
                    int(boot["anchor_us"]),
                    int(boot["floor"]),
                    tuple((start, end) for start, end in pairs),
                    int(boot["closed_until_us"]),
                )
            )
    lines.sort(key=lambda line: -line.boot)
    ahead_us = int(sensor["latest_us"] - sensor["received_us"])
    return SensorLine(tuple(lines), ahead_us, bool(sensor["silent"]))
