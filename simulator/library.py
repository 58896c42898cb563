"""A seeded library of motion loops, already encoded: a frame's samples are one slice of it."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from simulator.motion import Trajectory, trajectory
from simulator.readings import SAMPLE_BYTES, encode_samples, ideal_readings

LOOP_S = 60.0
MAX_VARIANTS = 32
"""Different bodies in a fleet; further sensors follow one of them from another moment on."""


def loop_samples(rate_hz: float) -> int:
    """Return the number of samples in one loop of motion."""
    return round(LOOP_S * rate_hz)


@lru_cache(maxsize=4)
def variant(profile: str, rate_hz: float, seed: int, number: int) -> Trajectory:
    """Return the true motion of one body of the library."""
    return trajectory(profile, rate_hz, LOOP_S, np.random.default_rng([seed, number]))


@lru_cache(maxsize=MAX_VARIANTS)
def _encoded(profile: str, rate_hz: float, seed: int, number: int) -> npt.NDArray[np.uint8]:
    readings = ideal_readings(variant(profile, rate_hz, seed, number))
    return encode_samples(readings, np.random.default_rng([seed, number, 1]))


class Library:
    """The encoded samples of ``variants`` bodies, each a loop that joins up with itself."""

    def __init__(
        self, profile: str, rate_hz: float, seed: int, variants: int, samples_per_frame: int
    ) -> None:
        self.length = loop_samples(rate_hz)
        self._frame = samples_per_frame * SAMPLE_BYTES
        loops = []
        for number in range(variants):
            records = _encoded(profile, rate_hz, seed, number)
            repeats = -(-(self.length + samples_per_frame) // self.length)
            joined = np.tile(records, (repeats, 1))[: self.length + samples_per_frame]
            loops.append(joined.reshape(-1))
        self._loops = np.stack(loops)
        self._windows = np.lib.stride_tricks.as_strided(
            self._loops,
            shape=(variants, self.length, self._frame),
            strides=(self._loops.strides[0], SAMPLE_BYTES, 1),
            writeable=False,
        )

    def frames(
        self, variants: npt.NDArray[np.int64], starts: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.uint8]:
        """Return the ``(m, n * 20) uint8`` samples from these moments (sample counts) on."""
        return np.asarray(self._windows[variants, starts % self.length])
