"""Compile the operators ahead of their first use: `python -m pipelines.operators.warm`.

A set-up step, so that neither a test nor a starting slot waits for the compiler.
"""

import numpy as np

from pipelines.operators.sensor_processing import SensorProcessing
from pipelines.records import InputBatch
from pipelines.settings import ProcessingSettings


def warm() -> None:
    """Step one tick and one payload that is no frame; that compiles all there is."""
    operator = SensorProcessing(ProcessingSettings())
    times = np.zeros(2, np.int64)
    operator.step(operator.new_state(0), InputBatch([None, b"s"], [b"{}", b"?"], times, times))


if __name__ == "__main__":
    warm()
