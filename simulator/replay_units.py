"""Units of a recording: as said, as the column's title says, or as the values leave no doubt."""

from typing import Final

import numpy as np

from pipelines.errors import DataError
from simulator.motion import GRAVITY_M_S2
from simulator.periodic import Floats

_FACTORS: Final = {
    "g": 1.0,
    "m/s2": 1 / GRAVITY_M_S2,
    "rad/s": 1.0,
    "deg/s": float(np.radians(1.0)),
    "gauss": 1.0,
    "uT": 0.01,
}
_SECONDS: Final = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_EPOCH_S: Final = (9.4e8, 4.2e9)
"""Seconds since 1970 of the years 2000 to 2102: such a time tells its unit by its size."""
_STEP_S: Final = (5e-4, 0.25)
"""A recording is taken at 4 to 2,000 Hz: then the step between its readings tells the unit."""
_GRAVITY: Final = {"g": (0.5, 2.0), "m/s2": (5.0, 20.0)}
_FIELD: Final = {"gauss": (0.1, 1.5), "uT": (10.0, 150.0)}
"""What lies within reach of gravity and of the earth's field, as the median magnitude."""


def seconds(values: Floats, unit: str | None, where: str) -> Floats:
    """Return times as seconds from the first one, which keeps nanoseconds exact enough.

    Raises:
        DataError: the unit is not said, and the values do not tell it.
    """
    from_first = values - values[0]
    if unit is None:
        unit = _time_unit(values[0], from_first, where)
    return np.asarray(from_first * _SECONDS[unit], dtype=np.float64)


def _time_unit(first: float, from_first: Floats, where: str) -> str:
    for unit, second in _SECONDS.items():
        if _EPOCH_S[0] <= first * second <= _EPOCH_S[1]:
            return unit
    step = float(np.median(np.diff(from_first)))
    for unit, second in _SECONDS.items():
        if _STEP_S[0] <= step * second <= _STEP_S[1]:
            return unit
    raise DataError(
        f"{where}: times that begin at {first:g} and step by {step:g} may be of any unit; "
        "say which: --time-unit s, ms, us or ns"
    )


def in_g(values: Floats, unit: str | None, where: str) -> Floats:
    """Return ``(n, 3)`` accelerations in g; raises DataError where the unit is in doubt."""
    return values * _FACTORS[unit or _told_by_size(values, _GRAVITY, "acceleration", where)]


def in_rad_s(values: Floats, unit: str | None, where: str) -> Floats:
    """Return ``(n, 3)`` rates in rad/s. No size tells their unit, so it must be said.

    Raises:
        DataError: it is not.
    """
    if unit is None:
        raise DataError(
            f"{where}: the gyroscope's columns do not say their unit; "
            "say it: --gyro-unit rad/s or --gyro-unit deg/s"
        )
    return values * _FACTORS[unit]


def in_gauss(values: Floats, unit: str | None, where: str) -> Floats:
    """Return ``(n, 3)`` fields in gauss; raises DataError where the unit is in doubt."""
    return values * _FACTORS[unit or _told_by_size(values, _FIELD, "magnetic field", where)]


def _told_by_size(
    values: Floats, ranges: dict[str, tuple[float, float]], quantity: str, where: str
) -> str:
    median = float(np.median(np.linalg.norm(values, axis=1)))
    for unit, (least, most) in ranges.items():
        if least <= median <= most:
            return unit
    units = " or ".join(ranges)
    raise DataError(
        f"{where}: a {quantity} of magnitude {median:.3g} (median) is neither in {units}; "
        f"say its unit: --{'acc' if quantity == 'acceleration' else 'mag'}-unit {units}"
    )
