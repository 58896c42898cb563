"""Simulated bodies with a sensor on each: what it measured, and how fast it truly was.

Training, validation and held-out bodies are drawn from streams of random numbers of their own:
no body is in two of them, and none is one that `imustream simulate` shows.
"""

from enum import IntEnum
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from cluster.training.mounting import draw_mounting
from cluster.training.observed import observed
from simulator.library import LOOP_S
from simulator.motion import ACTIVITIES, GAITS, trajectory
from simulator.readings import ideal_readings, rotations

FEATURES: Final = (
    *(f"acc_{axis}" for axis in "xyz"),
    *(f"gyro_{axis}" for axis in "xyz"),
    "accl_mag",
    "gyro_mag",
)
"""Columns of sensor-data-transformed. No magnetometer: many wearables have none."""
RATE_HZ: Final = 200.0
MOVING_M_S: Final = 0.2
"""A body moves while it walks or runs, or while its speed is above this."""

Float32s = npt.NDArray[np.float32]


class Split(IntEnum):
    """What bodies are for. The values are part of the seeds."""

    TRAINING = 71
    VALIDATION = 72
    HELD_OUT = 73


class Bodies(NamedTuple):
    """``k`` bodies over one loop of ``n`` samples each; a loop joins up with itself.

    features:   ``(k, n, 8) float32``, the columns FEATURES
    speed_m_s:  ``(k, n) float32`` magnitude of the true velocity
    moving:     ``(k, n) bool``
    activity:   ``(k, n) int8`` index into ACTIVITIES
    attitude:   ``(k, 3, 3) float64`` true rotation, sensor to world, at the first sample
    """

    features: Float32s
    speed_m_s: Float32s
    moving: npt.NDArray[np.bool_]
    activity: npt.NDArray[np.int8]
    attitude: npt.NDArray[np.float64]


def draw_bodies(
    split: Split, count: int, seed: int, mixed_share: float = 1.0, loop_s: float = LOOP_S
) -> Bodies:
    """Draw bodies; the same arguments give the same numbers.

    mixed_share: share of them that do everything in turn; the others do one activity throughout
    """
    columns = zip(
        *(_draw_body(split, number, count, seed, mixed_share, loop_s) for number in range(count)),
        strict=True,
    )
    return Bodies(*(np.stack(column) for column in columns))


def _draw_body(
    split: Split, number: int, count: int, seed: int, mixed_share: float, loop_s: float
) -> Bodies:
    rng = np.random.default_rng([seed, split, number])
    mixed = number < round(mixed_share * count)
    profile = "mixed" if mixed else ACTIVITIES[number % len(ACTIVITIES)]
    motion = trajectory(profile, RATE_HZ, loop_s, rng)
    mounting = draw_mounting(rng)
    features = observed(mounting.read(ideal_readings(motion)), RATE_HZ, rng, FEATURES)
    speed_m_s = np.linalg.norm(motion.velocity_m_s, axis=1)
    going = np.isin(motion.activity, [ACTIVITIES.index(gait) for gait in GAITS])
    attitude = rotations(motion.angles_rad[:1])[0] @ mounting.to_body
    return Bodies(
        features,
        speed_m_s.astype(np.float32),
        going | (speed_m_s > MOVING_M_S),
        motion.activity,
        attitude,
    )
