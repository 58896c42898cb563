"""The columns of ml_inference's state: a row a sensor, with its open velocity window.

Numpy records, as in :mod:`pipelines.operators.layout`. The first group of fields is moved by
:mod:`pipelines.operators.eligible_rows` before a batch is inferred, the second by
:mod:`pipelines.operators.velocity_windows` after it; each counts ticks for itself.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

LAYOUT_VERSION: Final = 1
"""Stands first in every saved row; raise it when a record below changes."""

NONE: Final = -1

SENSOR = np.dtype(
    [
        ("boot", "i8"),  # of the newest row; NONE before the first
        ("last_index", "i8"),  # the largest sample number of that boot
        ("seen_tick", "i8"),  # the partition's tick count at its last row; NONE: the row is unused
        ("at_zero", "i8"),  # 1 if the model's state begins at zero with the next sample
        ("last_tick", "i8"),  # as seen_tick
        ("skipped", "i8"),  # samples without a prediction since its last window closed
        ("changed", "i8"),  # 1 if it must be saved
        ("forgotten", "i8"),  # 1 if its state was dropped
        ("window_boot", "i8"),  # of the open window; from here on the fields are of the window
        ("start_us", "i8"),
        ("samples", "i8"),  # 0: no window is open
        ("first_sample", "i8"),
        ("last_sample", "i8"),
        ("moving", "i8"),  # samples whose moving_probability is at least one half
        ("resets", "i8"),
        ("model", "i8"),  # of its last sample, as a number of the partition's state
        ("velocity_max", "f8"),
        ("velocity_sum", "f8"),
    ]
)

CLOSED_WINDOW = np.dtype(
    [
        ("record", "i8"),  # index in the batch of the record that closed it
        ("sensor", "i8"),  # row of the sensor
        ("closed_by", "i8"),
        ("through_offset", "i8"),
        ("skipped", "i8"),
        *[(name, SENSOR[name].str) for name in (SENSOR.names or ())[8:]],
    ]
)
CLOSED_BY: Final = ("time", "silence", "reboot")
BY_TIME: Final = 0
BY_SILENCE: Final = 1
BY_REBOOT: Final = 2

# What becomes of a row.
SKIPPED: Final = 0
PREDICTED: Final = 1
NOT_A_NUMBER: Final = 2

COUNTS: Final = (
    "records",
    "ticks",
    "streams",  # records that hold samples
    "samples",
    "predicted",
    "skipped",
    "not_a_number",
    "resets",
    "velocity_windows",
    "dead_letters",
    "sensors_forgotten",
)
"""samples = predicted + skipped + not_a_number, always."""


class Rules(NamedTuple):
    """The settings that the compiled parts work by."""

    window_us: int
    reset_gap_samples: int  # more missing than these begin the model's state anew
    silence_ticks: int
    forget_ticks: int


class Samples(NamedTuple):
    """The records of a batch of one partition, ``n``, and the ``m`` samples that they hold.

    tick:         ``(n,)`` whether a record is a tick
    offset:       ``(n,)``
    first_row:    ``(n + 1,)`` the first sample of each record
    sensor:       ``(m,)`` the sensor's row in the state
    boot:         ``(m,)``
    sample_index: ``(m,)``
    timestamp_us: ``(m,)``
    """

    tick: npt.NDArray[np.bool_]
    offset: npt.NDArray[np.int64]
    first_row: npt.NDArray[np.int64]
    sensor: npt.NDArray[np.int64]
    boot: npt.NDArray[np.int32]
    sample_index: npt.NDArray[np.int64]
    timestamp_us: npt.NDArray[np.int64]


class Inferred(NamedTuple):
    """What is known of each of ``m`` samples once the model has run.

    verdict:  ``(m,)`` SKIPPED, PREDICTED or NOT_A_NUMBER
    at_zero:  ``(m,)`` whether the model's state began at zero with it; of skipped ones, nothing
    velocity: ``(m,)`` m/s, of predicted ones
    moving:   ``(m,)`` probability, of predicted ones
    """

    verdict: npt.NDArray[np.uint8]
    at_zero: npt.NDArray[np.bool_]
    velocity: npt.NDArray[np.float32]
    moving: npt.NDArray[np.float32]
