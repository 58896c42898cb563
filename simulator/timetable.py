"""What a fleet asks of its frames, whether they are simulated or recorded."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from simulator.schedule import Batch, Boot


class Timetable(Protocol):
    """The messages of a fleet in the order of their time."""

    start_us: int
    """When the fleet starts, microseconds since the epoch; set it before the first step."""
    next_due_s: float
    """When the next frame is due, in seconds from the start; infinite when all are sent."""
    boots: list[Boot]

    @property
    def offsets_us(self) -> npt.NDArray[np.int64]:
        """How far each device's clock is ahead, ``(sensors,)``."""

    def step(self, until_s: float) -> Batch:
        """Return what is due by then, one frame of a sensor at most, and go on past it."""

    def flush(self) -> Batch:
        """Return what was held back for a next frame that will not come."""
