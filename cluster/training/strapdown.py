"""What speed comes out of the sensor without a model: integrate it, from rest.

Two answers, both with more than a sensor in the field could know or as much as it could.
"""

from typing import Final

import numpy as np

from cluster.training.bodies import Bodies, Float32s
from simulator.motion import GRAVITY_M_S2
from simulator.periodic import Floats

STILL_S: Final = 0.5
"""How long a body of mixed motion surely rests at first: what `levelled_speed` learns from."""


def naive_speed(bodies: Bodies, rate_hz: float) -> Float32s:
    """Return ``(k, n)`` m/s: the readings as they are, the true attitude given at the start.

    The attitude follows the gyroscope, gravity is taken off in the world's axes, what is left is
    integrated from rest.
    """
    return _integrated(_acc_m_s2(bodies), _rates(bodies), bodies.attitude, rate_hz, GRAVITY_M_S2)


def levelled_speed(bodies: Bodies, rate_hz: float) -> Float32s:
    """Return ``(k, n)`` m/s: as `naive_speed`, but calibrated while the body rests.

    Over the first `STILL_S` seconds the gyroscope's mean is its bias, the accelerometer's mean is
    gravity: its direction levels the attitude (the heading does not matter to a speed), its
    length is what is taken off.
    """
    still = round(STILL_S * rate_hz)
    acc, rates = _acc_m_s2(bodies), _rates(bodies)
    rates = rates - rates[:, :still].mean(axis=1, keepdims=True)
    gravity = acc[:, :still].mean(axis=1)
    length = np.linalg.norm(gravity, axis=1)
    return _integrated(acc, rates, _levelled(gravity / length[:, None]), rate_hz, length)


def _acc_m_s2(bodies: Bodies) -> Floats:
    return bodies.features[..., 0:3].astype(np.float64) * GRAVITY_M_S2


def _rates(bodies: Bodies) -> Floats:
    return bodies.features[..., 3:6].astype(np.float64)


def _levelled(up: Floats) -> Floats:
    """Return ``(k, 3, 3)`` rotations, sensor to world, of ``(k, 3)`` unit vectors that are up."""
    ahead = np.cross(np.array([0.0, 1.0, 0.0]), up)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    return np.stack([ahead, np.cross(up, ahead), up], axis=1)


def _integrated(
    acc_m_s2: Floats, rates: Floats, attitude: Floats, rate_hz: float, gravity: Floats | float
) -> Float32s:
    """Return the speed of ``(k, n, 3)`` readings, by the trapezoidal rule."""
    bodies, length, _ = acc_m_s2.shape
    middle = (rates[:, 1:] + rates[:, :-1]) / 2
    turns = _rotations(middle.reshape(-1, 3) / rate_hz).reshape(bodies, length - 1, 3, 3)
    world = np.empty_like(acc_m_s2)
    for at in range(length):
        world[:, at] = (attitude @ acc_m_s2[:, at, :, None])[:, :, 0]
        if at < length - 1:
            attitude = attitude @ turns[:, at]
    world[..., 2] -= np.broadcast_to(gravity, bodies)[:, None]
    velocity = np.zeros_like(world)
    velocity[:, 1:] = np.cumsum((world[:, 1:] + world[:, :-1]) / (2 * rate_hz), axis=1)
    return np.asarray(np.linalg.norm(velocity, axis=2), dtype=np.float32)


def _rotations(vectors: Floats) -> Floats:
    """Return ``(m, 3, 3)`` rotations by ``(m, 3)`` rotation vectors (Rodrigues' formula)."""
    angle = np.linalg.norm(vectors, axis=1)
    x, y, z = (vectors / np.maximum(angle, 1e-12)[:, None]).T
    zero = np.zeros_like(x)
    cross = np.moveaxis(np.array([[zero, -z, y], [z, zero, -x], [-y, x, zero]]), 2, 0)
    sine, cosine = np.sin(angle)[:, None, None], np.cos(angle)[:, None, None]
    return np.asarray(np.eye(3) + sine * cross + (1 - cosine) * cross @ cross)
