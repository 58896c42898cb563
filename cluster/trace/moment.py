"""Times in words. Pure."""

from datetime import UTC, datetime


def clock(time_us: int) -> str:
    """Return a time in UTC to the microsecond; a time that no calendar has as its number."""
    try:
        return datetime.fromtimestamp(time_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    except (ValueError, OverflowError, OSError):
        return f"{time_us} us"


def after(at_us: int, since_us: int) -> str:
    """Return how long after another time a time is."""
    apart_us = at_us - since_us
    if abs(apart_us) < 10_000_000:
        return f"{apart_us / 1e3:+,.1f} ms"
    return f"{apart_us / 1e6:+,.1f} s"
