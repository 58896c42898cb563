"""The columns of a partition's state: a row a sensor, two rows a sensor for its boots, windows.

All are numpy records, so that the compiled operator works on them in place and a row is saved as
its bytes. Times are microseconds since the epoch on the device's clock unless named otherwise.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

LAYOUT_VERSION: Final = 1
"""Stands first in every saved row; raise it when a record below changes."""

INTERVALS_PER_BOOT: Final = 32
"""Intervals of seen sample numbers that are kept for each boot; numbers below them are too old."""
REGIONS_PER_BOOT: Final = 4
"""Closed spans kept for a boot whose clock was set back; beyond it the oldest two are joined."""

NONE: Final = -1
FAR_PAST_US: Final = -(2**62)
FAR_FUTURE_US: Final = 2**62 + 2**61

SENSOR = np.dtype(
    [
        ("boot", "i8"),  # number of the current boot; NONE before the first frame
        ("last_tick", "i8"),  # the partition's tick count at its last frame
        ("silent", "i8"),  # 1 once its windows were closed for silence
        ("changed", "i8"),  # 1 if it must be saved
        ("forgotten", "i8"),  # 1 if its state was dropped
        ("samples", "i8"),
        ("duplicates", "i8"),
        ("dead_letters", "i8"),
        ("late", "i8"),
        ("gaps", "i8"),
        ("gaps_filled", "i8"),
        ("clock_steps", "i8"),
        ("tick_samples", "i8"),  # samples since the last tick
        ("rate_hz", "f8"),  # smoothed samples a tick
        ("good_frames", "i8"),  # since the last look of the flood guard
        ("bad_frames", "i8"),
        ("latest_us", "i8"),  # the device's clock at its last frame
        ("received_us", "i8"),  # the bridge's clock then
    ]
)

BOOT = np.dtype(
    [
        ("number", "i8"),  # NONE: the row is unused
        ("anchor_sample", "i8"),  # a point of the line of sample number against time:
        ("anchor_us", "i8"),  # the newest frame's
        ("old_anchor_sample", "i8"),  # the line before the last clock step; NONE without one
        ("old_anchor_us", "i8"),
        ("first_us", "i8"),  # the boot's first frame
        ("latest_us", "i8"),  # the largest timestamp on the line
        ("line_start_us", "i8"),  # windows in [line_start_us, closed_until_us) are closed
        ("closed_until_us", "i8"),
        ("floor", "i8"),  # sample numbers below are no longer known
        ("intervals", "i8"),  # how many of its intervals are in use
        ("regions", "i8"),
        ("last_closed_sample", "i8"),  # largest sample number of its closed windows, or NONE
        ("late", "i8"),  # late samples since its last window closed
        ("window", "i8"),  # its first open window, or NONE
    ]
)

WINDOW = np.dtype(
    [
        ("next", "i8"),  # the boot's next open window, by time; or the next unused row
        ("start_us", "i8"),
        ("samples", "i8"),
        ("first_sample", "i8"),
        ("last_sample", "i8"),
        ("acc_first", "f8"),  # sums are of the difference to the first value, which keeps
        ("acc_min", "f8"),  # a small deviation exact
        ("acc_max", "f8"),
        ("acc_sum", "f8"),
        ("acc_squares", "f8"),
        ("gyro_first", "f8"),
        ("gyro_min", "f8"),
        ("gyro_max", "f8"),
        ("gyro_sum", "f8"),
        ("gyro_squares", "f8"),
    ]
)

CLOSED_WINDOW = np.dtype(
    [
        ("record", "i8"),  # index in the batch of the record that closed it
        ("sensor", "i8"),  # row of the sensor
        ("boot", "i8"),
        ("gaps", "i8"),
        ("late", "i8"),
        ("closed_by", "i8"),
        ("through_offset", "i8"),
        *[(name, WINDOW[name].str) for name in (WINDOW.names or ())[1:]],
    ]
)
CLOSED_BY: Final = ("watermark", "silence", "reboot")
BY_WATERMARK: Final = 0
BY_SILENCE: Final = 1
BY_REBOOT: Final = 2

COUNTS: Final = (
    "records",
    "ticks",
    "bytes",
    "frames",
    "transformed",
    "duplicates",
    "heartbeats",
    "dead_letters",
    "samples",
    "samples_transformed",
    "samples_duplicate",
    "samples_late",
    "gaps",
    "gaps_filled",
    "windows",
    "boots",
    "clock_steps",
    "sensors_forgotten",
    "samples_clipped",  # of JSON payloads: a value lay beyond what a frame can hold
)


class Rules(NamedTuple):
    """The settings that the compiled operator works by."""

    period_us: float
    lateness_us: int
    window_us: int
    max_future_us: int
    step_samples: int  # numbering goes on if a frame is at most this far after the last one
    silence_ticks: int
    forget_ticks: int
    guard_ticks: int
    stop_share: float
    stop_min_sensors: int


class Tables(NamedTuple):
    """The state of one partition.

    sensors:   ``(s,) SENSOR``
    boots:     ``(2 s,) BOOT``; boot b of sensor i is in row ``2 i + b % 2``
    intervals: ``(2 s, INTERVALS_PER_BOOT, 2)`` seen sample numbers as [start, end), ascending
    regions:   ``(2 s, REGIONS_PER_BOOT, 2)`` spans closed before the clock was set back
    windows:   ``(w,) WINDOW``, the open windows and the unused rows
    unused:    ``(2,)`` the first unused row of ``windows``, or NONE, and how many are unused
    counts:    ``(len(COUNTS),)``
    """

    sensors: npt.NDArray[np.void]
    boots: npt.NDArray[np.void]
    intervals: npt.NDArray[np.int64]
    regions: npt.NDArray[np.int64]
    windows: npt.NDArray[np.void]
    unused: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
