"""JSON payloads read once more, plainly, so that the operator's reading is not its own judge.

Written from ``docs/phones.md`` with the standard library alone and a loop over every sample: what
is valid, which readings count, and what samples they become.
"""

import json
import math
import struct
from bisect import bisect_right
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

_G = 0.488 / 1000
_RAD_S = math.radians(0.140)
_GAUSS = 1 / 1711
_NS = 1_000_000_000
_LATEST_NS = 2**62

Vector = tuple[float, float, float]
Times = dict[int, Vector]
"""Readings of one sensor by their time in nanoseconds; the first of each time."""


class Samples(NamedTuple):
    """A good JSON payload as the frame that it counts as; ``data`` has 20 bytes a sample."""

    base: int
    timestamp_us: int
    samples: int
    data: bytes


class _InvalidError(Exception):
    """It is JSON, but nothing that a device may send."""


def looks_like_json(payload: bytes) -> bool:
    """Whether a payload is JSON rather than frames."""
    return payload[:1] in (b"{", b"[") and b"\x7c\x1e" not in payload


def samples_of(payload: bytes, sample_rate_hz: float) -> Samples | str:
    """Return what a JSON payload becomes, or the reason of its dead letter."""
    said = _said(payload)
    return said if isinstance(said, str) else _resampled(said, Fraction(sample_rate_hz))


def begin_us_of(payload: bytes) -> int | None:
    """Return the time of the first reading that counts; None for what is no good payload."""
    said = _said(payload)
    return None if isinstance(said, str) else said.begin_ns // 1000


class _Said(NamedTuple):
    """What a good payload says of acceleration, rotation and field, each series in order."""

    series: list[list[list[tuple[int, Vector]]]]
    units: tuple[float, float, float]
    begin_ns: int
    end_ns: int
    """Until when the last readings are held."""


def _said(payload: bytes) -> _Said | str:
    try:
        _require(_depth(payload) <= 32)
        return _timed(_read(_parsed(payload)))
    except _InvalidError:
        return "invalid_payload"
    except ValueError:
        return "invalid_json"


def _parsed(payload: bytes) -> Any:
    message = json.loads(
        payload.decode(),
        parse_constant=_refuse,
        parse_float=_finite,
    )
    json.dumps(message, ensure_ascii=False).encode()  # half a surrogate pair is no text
    return message


def _refuse(constant: str) -> float:
    raise ValueError(constant)


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(text)
    return value


def _depth(payload: bytes) -> int:
    deepest = depth = 0
    in_string = escaped = False
    for character in payload.decode("latin-1"):
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == '"':
            in_string = not in_string
        elif not in_string and character in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif not in_string and character in "}]":
            depth -= 1
    return deepest


def _read(message: Any) -> tuple[list[tuple[list[Times], float]], int]:
    """Return acceleration, rotation and field with their units, and the earliest time of all."""
    _require(isinstance(message, dict))
    if "samples" in message:
        return _plain(message)
    _require("payload" in message)
    return _sensor_logger(message)


def _plain(message: dict[str, Any]) -> tuple[list[tuple[list[Times], float]], int]:
    samples = message["samples"]
    _require(set(message) == {"samples"} and isinstance(samples, list))
    _require(1 <= len(samples) <= 20_000)
    found: dict[str, Times] = {"acc": {}, "gyro": {}, "mag": {}}
    times = []
    for sample in samples:
        _require(isinstance(sample, dict) and not set(sample) - {"t_us", *found})
        time_us = sample.get("t_us")
        _require(type(time_us) is int and 0 <= time_us <= _LATEST_NS // 1000)
        times.append(time_us * 1000)
        for name, readings in found.items():
            vector = sample.get(name)
            if vector is not None:
                _require(isinstance(vector, list) and len(vector) == 3)
                readings.setdefault(time_us * 1000, _vector(vector))
    units = {"acc": _G, "gyro": _RAD_S, "mag": _GAUSS}
    return [([found[name]], unit) for name, unit in units.items()], min(times)


def _sensor_logger(message: dict[str, Any]) -> tuple[list[tuple[list[Times], float]], int]:
    payload = message["payload"]
    _require(isinstance(payload, list) and 1 <= len(payload) <= 20_000)
    found: dict[str, Times] = {
        "totalacceleration": {},
        "accelerometer": {},
        "gravity": {},
        "gyroscope": {},
        "gyroscopeuncalibrated": {},
        "magnetometer": {},
        "magnetometeruncalibrated": {},
    }
    times = []
    for reading in payload:
        _require(isinstance(reading, dict) and isinstance(reading.get("name"), str))
        time_ns = _nanoseconds(reading.get("time"))
        times.append(time_ns)
        readings = found.get(reading["name"].lower())
        if readings is not None:
            values = reading.get("values")
            _require(isinstance(values, dict))
            readings.setdefault(time_ns, _vector([values.get(axis) for axis in "xyz"]))
    acc = [found["totalacceleration"]]
    if not acc[0]:
        acc = [found["accelerometer"], found["gravity"]]
    gyro = found["gyroscope"] or found["gyroscopeuncalibrated"]
    mag = found["magnetometer"] or found["magnetometeruncalibrated"]
    return [(acc, 9.80665 * _G), ([gyro], _RAD_S), ([mag], 100 * _GAUSS)], min(times)


def _nanoseconds(value: Any) -> int:
    if isinstance(value, str):
        _require(1 <= len(value) <= 19 and all(digit in "0123456789" for digit in value))
        value = int(value)
    _require(type(value) is int and 0 <= value <= _LATEST_NS)
    return int(value)


def _vector(values: list[Any]) -> Vector:
    for value in values:
        _require(type(value) in (int, float) and -1e6 <= value <= 1e6)
    x, y, z = values
    return float(x), float(y), float(z)


def _require(condition: bool) -> None:
    if not condition:
        raise _InvalidError


def _timed(read: tuple[list[tuple[list[Times], float]], int]) -> _Said:
    """Order the readings, and see which time they cover; acceleration leads where there is any."""
    channels, earliest_ns = read
    series = [[sorted(times.items()) for times in parts if times] for parts, _ in channels]
    acc_unit, gyro_unit, mag_unit = (unit for _, unit in channels)
    units = (acc_unit, gyro_unit, mag_unit)
    leads = [parts[0] for parts in series if parts]
    if not leads:
        return _Said(series, units, earliest_ns, earliest_ns)
    times = [time for time, _ in leads[0]]
    steps = sorted(after - before for before, after in pairwise(times))
    _require(times[-1] - times[0] <= 60 * _NS and (not steps or steps[-1] <= 2 * _NS))
    median = steps[len(steps) // 2] if steps else 0
    return _Said(series, units, times[0], times[-1] + median + median // 2)


def _resampled(said: _Said, rate: Fraction) -> Samples:
    base = math.ceil(said.begin_ns * rate / _NS)
    first_ns = math.floor(base * _NS / rate)
    if not any(said.series):
        return Samples(base, first_ns // 1000, 0, b"")
    count = max(1, math.ceil(said.end_ns * rate / _NS) - base)
    data = bytearray()
    for i in range(count):
        time_ns = first_ns + round(i * (1e9 / float(rate)))
        for parts, unit, form in zip(
            said.series, said.units, (">hhh", ">hhh", "<hhh"), strict=True
        ):
            sums = [0.0, 0.0, 0.0]
            for part in parts:
                sums = [a + b for a, b in zip(sums, _at(part, time_ns), strict=True)]
            data += struct.pack(form, *(max(-32768, min(32767, round(s / unit))) for s in sums))
        data += b"\0\0"
    return Samples(base, first_ns // 1000, count, bytes(data))


def _at(readings: list[tuple[int, Vector]], time_ns: int) -> Vector:
    """Return the value at a time: on the line between two readings, or held beyond them."""
    after = bisect_right(readings, time_ns, key=lambda reading: reading[0])
    if after == 0:
        return readings[0][1]
    if after == len(readings):
        return readings[-1][1]
    (left_ns, left), (right_ns, right) = readings[after - 1], readings[after]
    share = (time_ns - left_ns) / (right_ns - left_ns)
    x, y, z = (a + (b - a) * share for a, b in zip(left, right, strict=True))
    return x, y, z
