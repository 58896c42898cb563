"""Sessions in words and figures for a terminal. Pure."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from pipelines.errors import ConfigurationError

_US_PER_S = 1_000_000
_SPAN = re.compile(r"(\d{1,9})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Justify = Literal["left", "right"]
COLUMNS: tuple[tuple[str, Justify], ...] = (
    ("Started", "left"),
    ("Sensor", "left"),
    ("State", "left"),
    ("Lasted", "right"),
    ("Windows", "right"),
    ("Samples", "right"),
    ("Gaps", "right"),
    ("Acc g", "right"),
    ("Vel m/s", "right"),
    ("Dist m", "right"),
    ("Session", "left"),
)


def since_us(text: str, now_us: int) -> int:
    """Return the moment that ``--since`` names, in microseconds since the epoch.

    Raises:
        ConfigurationError: it is neither a span nor a time.
    """
    span = _SPAN.fullmatch(text)
    if span is not None:
        return now_us - int(span[1]) * _SECONDS[span[2]] * _US_PER_S
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"--since {text!r} is neither a span such as 2h nor a time such as 2026-01-31T08:00"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int((moment - _EPOCH).total_seconds() * _US_PER_S)


def cells(session: Mapping[str, Any]) -> list[str]:
    """Return a row of :data:`COLUMNS`."""
    return [
        _moment(session["start_us"]),
        session["sensor_id"],
        session["state"],
        _span(session["end_us"] - session["start_us"]),
        f"{session['windows']:,}",
        f"{session['samples']:,}",
        f"{session['gaps']:,}",
        f"{session['acc_mag_max']:.2f}",
        _number(session["velocity_max"]),
        _number(session["distance_m"]),
        session["session_id"],
    ]


def facts(session: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield every field by name, times as times."""
    for name, value in session.items():
        if name in ("start_us", "end_us"):
            yield name.removesuffix("_us"), _moment(value)
        elif name != "through_offset":
            yield name.replace("_", " "), "-" if value is None else str(value)
    yield "lasted", _span(session["end_us"] - session["start_us"])


def _moment(at_us: int) -> str:
    try:
        moment = datetime.fromtimestamp(at_us // _US_PER_S, UTC)
    except (ValueError, OverflowError, OSError):
        return f"{at_us} us"
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _span(span_us: int) -> str:
    seconds = span_us // _US_PER_S
    hours, minutes = seconds // 3_600, seconds % 3_600 // 60
    return f"{hours}:{minutes:02}:{seconds % 60:02}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
