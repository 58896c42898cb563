"""Which column of a CSV file is what: by the names given, else by the names people use."""

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from pipelines.errors import DataError

VECTORS: Final = ("acc", "gyro", "mag")
OPTIONAL: Final = ("mag_x", "mag_y", "mag_z", "temperature")
QUANTITIES: Final = (
    "time",
    *(f"{vector}_{axis}" for vector in VECTORS for axis in "xyz"),
    "temperature",
)
_STEMS: Final = {
    "acc": r"(?:acc|accl|accel|accelerometer|acceleration|a)",
    "gyro": r"(?:gyr|gyro|gyroscope|rotation_rate|angular_velocity|omega|w|g)",
    "mag": r"(?:mag|magn|magnetometer|magnetic_field|m|b)",
}
_PATTERNS: Final = {
    "time": r"(?:time|timestamp|datetime|epoch|t|seconds_elapsed)",
    "temperature": r"(?:temp|temperature|temp_raw)",
} | {f"{v}_{axis}": rf"{stem}_?{axis}" for v, stem in _STEMS.items() for axis in "xyz"}
_UNITS: Final = {
    "s": r"(?:s|sec|seconds?)",
    "ms": r"(?:ms|msec|millis|milliseconds?)",
    "us": r"(?:us|usec|micros|microseconds?)",
    "ns": r"(?:ns|nsec|nanos|nanoseconds?)",
    "g": r"g",
    "m/s2": r"(?:m_?s_?2|m_?s_?s|mps2|m_per_s2)",
    "rad/s": r"(?:rad_?s|rads|rps|rad_per_s)",
    "deg/s": r"(?:deg_?s|dps|deg_per_s|degrees_s)",
    "gauss": r"(?:gauss|gs)",
    "uT": r"(?:ut|microtesla)",
}
UNITS: Final[Mapping[str, tuple[str, ...]]] = {
    "time": ("s", "ms", "us", "ns"),
    "acc": ("g", "m/s2"),
    "gyro": ("rad/s", "deg/s"),
    "mag": ("gauss", "uT"),
    "temperature": (),
}


class Column(NamedTuple):
    """Where a quantity stands, the column's title, and the unit that the title names."""

    place: int
    title: str
    unit: str | None


def columns_of(titles: Sequence[str], named: Mapping[str, str], where: str) -> dict[str, Column]:
    """Return the column of each quantity that is there.

    titles: the header, as in the file
    named:  quantity to title, as the user says; it goes before what is detected
    where:  the file and line of the header, for errors

    Raises:
        DataError: a title given is not there, two columns look like the same quantity, or one
            that is needed is missing; the message says what to do.
    """
    found: dict[str, Column] = {}
    for quantity, title in named.items():
        if title not in titles:
            raise DataError(
                f"{where}: there is no column {title!r} for {quantity}; "
                f"the columns are {', '.join(titles)}"
            )
        index = titles.index(title)
        plain = _plain(title)
        unit = next((u for u in _units_of(quantity) if re.search(f"_{_UNITS[u]}$", plain)), None)
        found[quantity] = Column(index, title, unit)
    taken = {column.place for column in found.values()}
    for index, title in enumerate(titles):
        detected = None if index in taken else _detected(title)
        if detected is None or detected[0] in named:
            continue
        quantity, unit = detected
        if quantity in found:
            raise DataError(
                f"{where}: {found[quantity].title!r} and {title!r} could both be {quantity}; "
                f"say which: --column {quantity}={title}"
            )
        found[quantity] = Column(index, title, unit)
    return _complete(found, titles, where)


def _complete(found: dict[str, Column], titles: Sequence[str], where: str) -> dict[str, Column]:
    missing = [quantity for quantity in QUANTITIES if quantity not in found]
    needed = [quantity for quantity in missing if quantity not in OPTIONAL]
    field = [quantity for quantity in missing if quantity.startswith("mag")]
    if 0 < len(field) < 3:
        needed += field  # part of a field is a mistake, not a sensor without one
    if needed:
        raise DataError(
            f"{where}: no column for {', '.join(needed)} among {', '.join(titles)}; "
            f"say which it is: --column {needed[0]}=TITLE"
        )
    return found


def _detected(title: str) -> tuple[str, str | None] | None:
    """Return the quantity and the unit that a title names, if it names a quantity."""
    plain = _plain(title)
    for quantity, pattern in _PATTERNS.items():
        if re.fullmatch(pattern, plain):
            return quantity, None
        for unit in _units_of(quantity):
            if re.fullmatch(f"{pattern}_{_UNITS[unit]}", plain):
                return quantity, unit
    return None


def _plain(title: str) -> str:
    """Return a title in lower case with everything else but letters and digits as one `_`."""
    return re.sub(r"[^a-z0-9]+", "_", title.lower().replace("µ", "u").replace("²", "2")).strip("_")


def _units_of(quantity: str) -> tuple[str, ...]:
    return UNITS[quantity.split("_", maxsplit=1)[0]]
