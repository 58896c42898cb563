"""What brings features to mean 0 and deviation 1: the contents of scaling.json."""

from typing import NamedTuple

import numpy as np

from cluster.training.bodies import Float32s


class Scaling(NamedTuple):
    """Mean and standard deviation of each feature, ``(f,) float32``."""

    mean: Float32s
    std: Float32s

    def apply(self, features: Float32s) -> Float32s:
        """Return ``(features - mean) / std``; any shape whose last axis is the features."""
        return np.asarray((features - self.mean) / self.std, dtype=np.float32)


def scaling_of(features: Float32s) -> Scaling:
    """Return the scaling that these ``(k, n, f)`` features have."""
    flat = features.reshape(-1, features.shape[-1]).astype(np.float64)
    return Scaling(flat.mean(axis=0).astype(np.float32), flat.std(axis=0).astype(np.float32))
