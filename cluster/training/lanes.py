"""Endless batches of consecutive samples: the state a network carries stays that of its lane."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cluster.training.bodies import Bodies, Float32s
from cluster.training.scaling import Scaling


class Chunk(NamedTuple):
    """The next ``t`` samples of ``b`` lanes.

    features:   ``(t, b, f) float32`` scaled
    speed_m_s:  ``(t, b) float32``
    moving:     ``(t, b) float32``, 0 or 1
    fresh:      ``(b,) bool``: another body begins here, so the carried state must be zero
    """

    features: Float32s
    speed_m_s: Float32s
    moving: Float32s
    fresh: npt.NDArray[np.bool_]


class Lanes:
    """Each lane follows one body around its loop and changes to another now and then."""

    def __init__(
        self,
        bodies: Bodies,
        scaling: Scaling,
        lanes: int,
        steps: int,
        change_share: float,
        rng: np.random.Generator,
    ) -> None:
        """Take bodies; a lane changes its body before a chunk with probability change_share."""
        self._features = scaling.apply(bodies.features)
        self._bodies = bodies
        self._steps, self._change_share, self._rng = steps, change_share, rng
        self._body = np.zeros(lanes, dtype=np.int64)
        self._at = np.zeros(lanes, dtype=np.int64)
        self._begun = False

    def next(self) -> Chunk:
        """Return the next chunk."""
        fresh = self._rng.random(len(self._body)) < self._change_share
        if not self._begun:
            fresh[:] = True
            self._begun = True
        count, length = self._bodies.speed_m_s.shape
        self._body[fresh] = self._rng.integers(count, size=int(fresh.sum()))
        self._at[fresh] = self._rng.integers(length, size=int(fresh.sum()))
        at = (self._at + np.arange(self._steps)[:, None]) % length
        self._at = (self._at + self._steps) % length
        return Chunk(
            self._features[self._body, at],
            self._bodies.speed_m_s[self._body, at],
            self._bodies.moving[self._body, at].astype(np.float32),
            fresh,
        )
