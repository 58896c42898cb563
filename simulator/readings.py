"""What an ideal or a noisy sensor reads on a trajectory, as the 20 bytes of each sample.

The inverse of the frame format's calibration: accelerometer 0.488/1000 g, gyroscope 0.140 deg/s,
magnetometer 1/1711 gauss for one count; int16, saturated.
"""

import numpy as np
import numpy.typing as npt

from simulator.motion import GRAVITY_M_S2, Trajectory
from simulator.periodic import Floats

ACC_G_PER_COUNT = 0.488 / 1000
GYRO_RAD_S_PER_COUNT = np.radians(0.140)
MAG_GAUSS_PER_COUNT = 1 / 1711
FIELD_GAUSS = np.array([0.02, 0.20, -0.43])
"""The earth's field in the world's axes, as in the middle of Europe."""
NOISE_COUNTS = np.array([3.0] * 3 + [0.8] * 3 + [3.0] * 3)
"""Standard deviation of the white noise of the nine channels, in counts."""
SAMPLE_BYTES = 20
TEMPERATURE_COUNTS = 1_280

SAMPLE = np.dtype([("acc", ">i2", 3), ("gyro", ">i2", 3), ("mag", "<i2", 3), ("temp", ">i2")])


def rotations(angles_rad: Floats) -> Floats:
    """Return ``(n, 3, 3)`` matrices body to world of ``(n, 3)`` roll, pitch, yaw."""
    (sr, sp, sy), (cr, cp, cy) = np.sin(angles_rad).T, np.cos(angles_rad).T
    rows = [
        [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
        [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
        [-sp, cp * sr, cp * cr],
    ]
    return np.moveaxis(np.array(rows), 2, 0)


def quaternions(angles_rad: Floats) -> Floats:
    """Return ``(n, 4)`` unit quaternions w, x, y, z, body to world, of roll, pitch, yaw."""
    (sr, sp, sy), (cr, cp, cy) = np.sin(angles_rad / 2).T, np.cos(angles_rad / 2).T
    return np.stack(
        [
            cr * cp * cy + sr * sp * sy,
            sr * cp * cy - cr * sp * sy,
            cr * sp * cy + sr * cp * sy,
            cr * cp * sy - sr * sp * cy,
        ],
        axis=1,
    )


def ideal_readings(motion: Trajectory) -> Floats:
    """Return ``(n, 9)``: specific force in g, body rates in rad/s, field in gauss."""
    to_body = np.swapaxes(rotations(motion.angles_rad), 1, 2)
    gravity = np.array([0.0, 0.0, -GRAVITY_M_S2])
    force_g = (to_body @ (motion.acceleration_m_s2 - gravity)[:, :, None])[:, :, 0] / GRAVITY_M_S2
    field = to_body @ FIELD_GAUSS
    return np.concatenate([force_g, motion.rates_rad_s, field], axis=1)


def encode_samples(readings: Floats, noise: np.random.Generator | None) -> npt.NDArray[np.uint8]:
    """Return the ``(n, 20) uint8`` sample records of ``(n, 9)`` readings, with noise or without."""
    warmth = np.sin(2 * np.pi * np.arange(len(readings)) / len(readings))
    return sample_records(counts_of(readings, noise)[0], TEMPERATURE_COUNTS + 40 * warmth)


def counts_of(readings: Floats, noise: np.random.Generator | None = None) -> tuple[Floats, int]:
    """Return the ``(n, 9)`` counts of ``(n, 9)`` readings, and how many values are saturated."""
    scale = [ACC_G_PER_COUNT] * 3 + [GYRO_RAD_S_PER_COUNT] * 3 + [MAG_GAUSS_PER_COUNT] * 3
    counts = readings / np.array(scale)
    if noise is not None:
        counts = counts + noise.standard_normal(counts.shape) * NOISE_COUNTS
    counts = np.rint(counts)
    held = np.clip(counts, -32_768, 32_767)
    return held, int((held != counts).sum())


def sample_records(counts: Floats, temperature: Floats) -> npt.NDArray[np.uint8]:
    """Return the ``(n, 20) uint8`` records of ``(n, 9)`` counts and ``(n,)`` temperatures."""
    records = np.empty(len(counts), dtype=SAMPLE)
    records["acc"], records["gyro"], records["mag"] = counts[:, :3], counts[:, 3:6], counts[:, 6:]
    records["temp"] = np.clip(np.rint(temperature), -32_768, 32_767)
    return records.view(np.uint8).reshape(-1, SAMPLE_BYTES)
