"""From where a replay that starts in the middle gives what the live run gave. Pure.

A replay that begins later than the topic knows of a sensor only what came since. It gives the same
samples and windows once it knows the line of sample number against time of the boot the device is
in, and every window that was open when it began has closed. So a sensor's rows are exact

- from the span's beginning, if the replay had by then followed its boot for `settle_us` of the
  device's own time, and the boot before it, if one is known, had closed;
- else from `settle_us` after the replay first heard it (or after the boot began);
- not before its next restart, where its first two frames after the replay began belong to two
  boots, in the wrong order: from outside they look like two restarts.

Boots are numbered from the first one the replay saw. Exact supposes that no frame came later, and
no clock was set back further, than the warm-up.
"""

from typing import NamedTuple

from pipelines.operators.layout import FAR_FUTURE_US, NONE
from pipelines.operators.sensor_state import PartitionState
from pipelines.settings import ProcessingSettings


class Settled(NamedTuple):
    """How far the replay knows the sensors at the moment its span begins.

    known:        every sensor it has heard
    exact_from_us: of those that are not exact at once, from when they are on the device's clock;
                  None: from the device's next restart
    """

    known: frozenset[str]
    exact_from_us: dict[str, int | None]


def settle_us(settings: ProcessingSettings) -> int:
    """Return how long a boot must be followed, in microseconds of the device's time."""
    return round(2e6 * (settings.lateness_s + settings.window_s))


def settled(state: PartitionState, settings: ProcessingSettings) -> Settled:
    """Look at the state as the span begins."""
    wait_us = settle_us(settings)
    open_boots = state.tables.boots["closed_until_us"] != FAR_FUTURE_US
    exact_from_us: dict[str, int | None] = {}
    for sensor_id, row in state.rows.items():
        number = int(state.tables.sensors["boot"][row])
        if number == NONE:
            continue
        current, before = 2 * row + number % 2, 2 * row + (number + 1) % 2
        boot = state.tables.boots[current]
        if number > 0 and open_boots[before]:
            exact_from_us[sensor_id.decode()] = None
        elif boot["latest_us"] - boot["first_us"] < wait_us:
            exact_from_us[sensor_id.decode()] = int(boot["first_us"]) + wait_us
    return Settled(frozenset(sensor_id.decode() for sensor_id in state.rows), exact_from_us)


def has_open_windows(state: PartitionState, from_us: int | None, to_us: int | None) -> bool:
    """Say whether a window that starts in [from_us, to_us) is still open."""
    windows = state.tables.windows
    low = -(2**63) if from_us is None else from_us
    high = 2**63 - 1 if to_us is None else to_us
    for first in state.tables.boots["window"].tolist():
        at = first
        while at != NONE:
            if low <= windows["start_us"][at] < high:
                return True
            at = int(windows["next"][at])
    return False
