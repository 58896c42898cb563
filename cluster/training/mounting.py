"""How a sensor sits on a body, and what its zero point is off by: drawn for each body.

The simulator's own sensors lie along the body's axes and have no bias. People strap a sensor on
as they like, and no MEMS sensor has a zero of exactly zero; the model must bear both.
"""

from typing import Final, NamedTuple

import numpy as np

from simulator.periodic import Floats
from simulator.readings import rotations

MAX_TILT_RAD: Final = np.radians(20.0)
"""Largest angle between the sensor's z axis and the body's; about z it may sit any way."""
MAX_ACC_BIAS_G: Final = 0.02
MAX_GYRO_BIAS_RAD_S: Final = np.radians(0.5)


class Mounting(NamedTuple):
    """Where one sensor sits.

    to_body:        ``(3, 3)`` rotation, sensor axes to body axes
    acc_bias_g:     ``(3,)`` added to each accelerometer reading
    gyro_bias_rad_s: ``(3,)`` added to each gyroscope reading
    """

    to_body: Floats
    acc_bias_g: Floats
    gyro_bias_rad_s: Floats

    def read(self, readings: Floats) -> Floats:
        """Return what this sensor reads where one along the body's axes reads ``(n, 9)``."""
        turned: Floats = (readings.reshape(-1, 3, 3) @ self.to_body).reshape(-1, 9)
        return np.asarray(
            turned + np.concatenate([self.acc_bias_g, self.gyro_bias_rad_s, np.zeros(3)])
        )


def draw_mounting(rng: np.random.Generator) -> Mounting:
    """Draw one: any heading, a tilt and biases uniform up to their bounds."""
    heading, lean = rng.uniform(-np.pi, np.pi, 2)
    tilt = rng.uniform(0, MAX_TILT_RAD)
    axis = np.array([np.cos(lean), np.sin(lean), 0.0])
    cross = np.cross(np.eye(3), -axis)
    leaning = np.eye(3) + np.sin(tilt) * cross + (1 - np.cos(tilt)) * cross @ cross
    turned = rotations(np.array([[0.0, 0.0, heading]]))[0]
    return Mounting(
        leaning @ turned,
        rng.uniform(-MAX_ACC_BIAS_G, MAX_ACC_BIAS_G, 3),
        rng.uniform(-MAX_GYRO_BIAS_RAD_S, MAX_GYRO_BIAS_RAD_S, 3),
    )
