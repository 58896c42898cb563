"""A real recording of motion, in the units of the stream."""

from typing import NamedTuple

import numpy as np

from simulator.periodic import Floats


class Recording(NamedTuple):
    """What one sensor recorded, at the times it did.

    name:        where it comes from, for reports
    time_s:      ``(n,)`` seconds from any zero, strictly increasing, at least two
    readings:    ``(n, 9)`` specific force in g, rates in rad/s, field in gauss
    temperature: ``(n,)`` counts of the frame format
    """

    name: str
    time_s: Floats
    readings: Floats
    temperature: Floats

    @property
    def span_s(self) -> float:
        """Seconds from the first reading to the last."""
        return float(self.time_s[-1] - self.time_s[0])


NO_FIELD_GAUSS = np.zeros(3)
"""What stands for the magnetometer of a recording that has none."""
