"""What the api gives of one synthetic session: its windows, samples and predictions."""

import math
from typing import Any

from synthetic_motion import AXES, motion, sensor_number, velocity

WINDOW_US = 2_000_000
MOST_WINDOWS = 400


def windows(session: dict[str, Any]) -> dict[str, Any]:
    """The motion windows of a session, the first of them with a gap."""
    number = sensor_number(session["sensor_id"])
    found = []
    for index in range(min(session["windows"], MOST_WINDOWS)):
        start_us = session["start_us"] + index * WINDOW_US
        rows = [motion(number, start_us / 1e6 + i / 10) for i in range(20)]
        window: dict[str, Any] = {
            "kind": "motion", "start_us": start_us, "end_us": start_us + WINDOW_US,
            "samples": 400, "gaps": int(index == 4), "late": 0, "closed_by": "watermark",
        }  # fmt: skip
        for name, source in (("acc_mag", "accl_mag"), ("gyro_mag", "gyro_mag")):
            values = [row[source] for row in rows]
            mean = sum(values) / len(values)
            rms = math.sqrt(sum(value * value for value in values) / len(values))
            statistics = {"min": min(values), "max": max(values), "mean": mean, "rms": rms}
            window |= {f"{name}_{kind}": value for kind, value in statistics.items()}
        found.append(window)
    return {"windows": found, "next_cursor": None, "complete": True, "note": None}


def samples(session: dict[str, Any], points: int, from_us: int, to_us: int) -> dict[str, Any]:
    """Down-sampled samples of a span."""
    number = sensor_number(session["sensor_id"])
    times = [from_us + round(i * (to_us - from_us) / points) for i in range(points)]
    rows = [motion(number, at / 1e6) for at in times]
    return {
        "columns": {"timestamp_us": times, **{name: [row[name] for row in rows] for name in AXES}},
        "rows_total": (to_us - from_us) // 5_000, "method": "minmaxlttb",
    }  # fmt: skip


def predictions(session: dict[str, Any], points: int, from_us: int, to_us: int) -> dict[str, Any]:
    """Down-sampled predictions of a span."""
    number = sensor_number(session["sensor_id"])
    times = [from_us + round(i * (to_us - from_us) / points) for i in range(points)]
    return {
        "columns": {
            "timestamp_us": times, "velocity": [velocity(number, at / 1e6) for at in times],
            "moving_probability": [0.97] * points,
        },
        "model": {"name": "velocity", "version": "2", "sha256": "029cc78e3bfe717dbad33b39"},
    }  # fmt: skip
