"""A closed motion window as a record of sensor-data-aggregated (schemas/window.schema.json)."""

import math
from typing import Any, NamedTuple

import orjson

from pipelines.operators.layout import CLOSED_BY, CLOSED_WINDOW


class ClosedWindow(NamedTuple):
    """A row of `CLOSED_WINDOW`, field by field."""

    record: int
    sensor: int
    boot: int
    gaps: int
    late: int
    closed_by: int
    through_offset: int
    start_us: int
    samples: int
    first_sample: int
    last_sample: int
    acc_first: float
    acc_min: float
    acc_max: float
    acc_sum: float
    acc_squares: float
    gyro_first: float
    gyro_min: float
    gyro_max: float
    gyro_sum: float
    gyro_squares: float


assert ClosedWindow._fields == CLOSED_WINDOW.names


def window_record(sensor_id: bytes, window: ClosedWindow, window_us: int) -> bytes:
    """Return the JSON of a closed window of ``window_us`` microseconds."""
    w = window
    return orjson.dumps(
        {
            "kind": "motion",
            "sensor_id": sensor_id.decode(),
            "boot": w.boot,
            "start_us": w.start_us,
            "end_us": w.start_us + window_us,
            "samples": w.samples,
            "first_sample": w.first_sample,
            "last_sample": w.last_sample,
            "gaps": w.gaps,
            "late": w.late,
            "acc_mag": _statistics(
                w.samples, w.acc_first, w.acc_min, w.acc_max, w.acc_sum, w.acc_squares
            ),
            "gyro_mag": _statistics(
                w.samples, w.gyro_first, w.gyro_min, w.gyro_max, w.gyro_sum, w.gyro_squares
            ),
            "closed_by": CLOSED_BY[w.closed_by],
            "through_offset": w.through_offset,
        }
    )


def _statistics(
    samples: int, first: float, least: float, largest: float, total: float, squares: float
) -> dict[str, Any]:
    """Return the statistics of values of which sums of the difference to ``first`` are known."""
    mean_difference = total / samples
    variance = max(0.0, squares / samples - mean_difference * mean_difference)
    mean = first + mean_difference
    return {
        "min": least,
        "max": largest,
        "mean": mean,
        "rms": math.sqrt(mean * mean + variance),
        "std": math.sqrt(variance),
    }
