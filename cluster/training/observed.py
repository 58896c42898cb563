"""Readings as the model will meet them: through the device's frames and sensor_processing."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines import topics
from pipelines.operators.sensor_processing import SensorProcessing
from pipelines.records import InputBatch
from pipelines.settings import ProcessingSettings
from simulator.frame_encoder import encode_frames
from simulator.periodic import Floats
from simulator.readings import encode_samples

_START_US: Final = 1_760_000_000_000_000
_SAMPLES_PER_FRAME: Final = 50


def observed(
    readings: Floats, rate_hz: float, noise: np.random.Generator, columns: Sequence[str]
) -> npt.NDArray[np.float32]:
    """Return ``(n, len(columns))`` of sensor-data-transformed for ``(n, 9)`` true readings.

    The readings get the simulator's noise, are rounded to int16 counts, packed into frames, and
    decoded and calibrated by the operator that runs live, so that training and serving cannot
    differ. n must be a multiple of 50, the samples of a frame.
    """
    frames, left = divmod(len(readings), _SAMPLES_PER_FRAME)
    if left:
        raise ValueError(f"{len(readings)} readings are not whole frames of {_SAMPLES_PER_FRAME}")
    bases = np.arange(frames) * _SAMPLES_PER_FRAME
    times_us = _START_US + np.rint(bases * 1e6 / rate_hz).astype(np.int64)
    payloads = encode_frames(bases, times_us, encode_samples(readings, noise).reshape(frames, -1))
    operator = SensorProcessing(ProcessingSettings(sample_rate_hz=rate_hz))
    batch = InputBatch([b"body"] * frames, payloads, np.arange(frames), times_us)
    tables = [
        pa.ipc.open_stream(output.value).read_all()
        for output in operator.step(operator.new_state(0), batch)
        if output.topic == topics.TRANSFORMED
    ]
    table = pa.concat_tables(tables)
    return np.stack([table[name].to_numpy() for name in columns], axis=1)
