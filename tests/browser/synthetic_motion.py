"""The motion of synthetic sensors: frames, motion windows and velocities as live gives them."""

import math
from typing import Any

FRAME_SAMPLES = 64
RATE_HZ = 200
FRAME_S = FRAME_SAMPLES / RATE_HZ
AXES = ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z", "accl_mag", "gyro_mag")


def sensor_number(sensor_id: str) -> int:
    """The number that a sensor's id ends with; 0 without one."""
    digits = "".join(character for character in sensor_id[-4:] if character.isdecimal())
    return int(digits or 0)


def motion(sensor_number: int, time_s: float) -> dict[str, float]:
    """One sample, g and rad/s: a walk whose pace and strength differ by sensor."""
    pace = 2 * math.pi * (0.8 + 0.13 * (sensor_number % 7)) * time_s
    strength = 0.25 + 0.12 * (sensor_number % 5)
    gust = 0.5 + 0.5 * math.sin(time_s / 3 + sensor_number)
    acc = (
        strength * gust * math.sin(pace),
        strength * 0.6 * math.cos(2 * pace + 1),
        -1 + strength * gust * abs(math.sin(pace)) ** 3,
    )
    gyro = (1.4 * gust * math.cos(pace), 0.8 * math.sin(pace / 2), 0.5 * math.sin(pace / 5 + 2))
    return {
        **{f"acc_{axis}": value for axis, value in zip("xyz", acc, strict=True)},
        **{f"gyro_{axis}": value for axis, value in zip("xyz", gyro, strict=True)},
        "accl_mag": math.hypot(*acc),
        "gyro_mag": math.hypot(*gyro),
    }


def frame_columns(number: int, end_s: float, max_hz: float) -> dict[str, list[Any]]:
    """The columns of one message: a frame that ends at ``end_s`` on the device's clock."""
    step = max(1, round(RATE_HZ / max_hz))
    times = [end_s - (FRAME_SAMPLES - 1 - i) / RATE_HZ for i in range(0, FRAME_SAMPLES, step)]
    rows = [motion(number, at) for at in times]
    columns: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in rows[0]}
    columns["timestamp_us"] = [round(at * 1e6) for at in times]
    columns["boot"] = [0] * len(times)
    return columns


def window_columns(number: int, end_s: float) -> dict[str, list[Any]]:
    """The columns of one closed motion window."""
    rows = [motion(number, end_s - 2 + i / 50) for i in range(100)]
    columns: dict[str, list[Any]] = {
        "kind": ["motion"], "boot": [0], "samples": [400], "gaps": [0], "late": [0],
        "start_us": [round((end_s - 2) * 1e6)], "end_us": [round(end_s * 1e6)],
        "closed_by": ["watermark"],
    }  # fmt: skip
    for name, source in (("acc_mag", "accl_mag"), ("gyro_mag", "gyro_mag")):
        values = [row[source] for row in rows]
        mean = sum(values) / len(values)
        square = sum(value * value for value in values) / len(values)
        statistics = {
            "min": min(values), "max": max(values), "mean": mean, "rms": math.sqrt(square),
            "std": math.sqrt(max(0.0, square - mean * mean)),
        }  # fmt: skip
        columns.update({f"{name}_{kind}": [value] for kind, value in statistics.items()})
    return columns


def velocity(number: int, time_s: float) -> float:
    """The speed of the walk, m/s."""
    return 1.3 + 0.4 * math.sin(time_s / 3 + number) + 0.08 * math.sin(5 * time_s)


def prediction_columns(number: int, end_s: float) -> dict[str, list[Any]]:
    """The columns of one message of predictions: one frame's, thinned."""
    times = [end_s - (FRAME_SAMPLES - 1 - i) / RATE_HZ for i in range(0, FRAME_SAMPLES, 4)]
    return {
        "timestamp_us": [round(at * 1e6) for at in times],
        "boot": [0] * len(times),
        "velocity": [velocity(number, at) for at in times],
        "moving_probability": [0.97] * len(times),
    }
