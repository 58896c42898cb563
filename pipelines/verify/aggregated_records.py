"""The records of sensor-data-aggregated, as sessions are proved from them."""

import math
from dataclasses import dataclass
from typing import Any

import orjson

LARGEST_US = 2**62
LARGEST_COUNT = 2**53
LARGEST_BOOT = 2**31 - 1
LARGEST_VALUE = 1e12


@dataclass(frozen=True)
class Motion:
    """A motion window."""

    sensor_id: str
    boot: int
    start_us: int
    end_us: int
    samples: int
    gaps: int
    late: int
    acc_mag_max: float
    gyro_mag_max: float


@dataclass(frozen=True)
class Velocity:
    """A velocity window."""

    sensor_id: str
    start_us: int
    velocity_max: float
    distance_m: float


@dataclass(frozen=True)
class Tick:
    """A tick; its value is forwarded as it is."""

    number: int


@dataclass(frozen=True)
class Broken:
    """What is neither, and belongs into the dead letters."""


Aggregated = Motion | Velocity | Tick | Broken


def read_aggregated(key: bytes | None, value: bytes) -> Aggregated:
    """Say what a record is, by the contract's words (schemas/window.schema.json)."""
    try:
        fields = orjson.loads(value)
        if key is None:
            _whole(fields["published_us"], -math.inf, math.inf)
            return Tick(_whole(fields["tick"], -math.inf, math.inf))
        return _window(key, fields)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return Broken()


def _window(key: bytes, fields: Any) -> Motion | Velocity:
    kind, sensor_id = fields["kind"], fields["sensor_id"]
    start_us = _whole(fields["start_us"], -LARGEST_US, LARGEST_US)
    end_us = _whole(fields["end_us"], -LARGEST_US, LARGEST_US)
    if sensor_id != key.decode() or not 1 <= len(sensor_id) <= 64 or end_us <= start_us:
        raise ValueError
    if kind == "motion":
        return Motion(
            sensor_id,
            _whole(fields["boot"], 0, LARGEST_BOOT),
            start_us,
            end_us,
            _whole(fields["samples"], 1),
            _whole(fields["gaps"]),
            _whole(fields["late"]),
            _number(fields["acc_mag"]["max"]),
            _number(fields["gyro_mag"]["max"]),
        )
    if kind == "velocity":
        speed, distance = _number(fields["velocity_max"]), _number(fields["distance_m"])
        return Velocity(sensor_id, start_us, speed, distance)
    raise ValueError


def _whole(value: Any, least: float = 0, largest: float = LARGEST_COUNT) -> int:
    if type(value) is not int or not least <= value <= largest:
        raise ValueError
    return value


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not -LARGEST_VALUE <= value <= LARGEST_VALUE:
        raise ValueError
    return float(value)
