"""A span of event time as a user writes it: ISO 8601 or microseconds since the epoch."""

from datetime import UTC, datetime
from typing import NamedTuple

from pipelines.errors import ConfigurationError

_MICROSECONDS_S = 1_000_000


class TimeSpan(NamedTuple):
    """[from_us, to_us) in microseconds since the epoch; None: without that bound."""

    from_us: int | None = None
    to_us: int | None = None

    def overlaps(self, first_us: int, last_us: int) -> bool:
        """Say whether any moment of [first_us, last_us] lies in the span."""
        return (self.from_us is None or last_us >= self.from_us) and (
            self.to_us is None or first_us < self.to_us
        )


def parse_span(start: str | None, end: str | None) -> TimeSpan:
    """Read ``--from`` and ``--to``.

    Raises:
        ConfigurationError: one cannot be read, or the span is empty.
    """
    span = TimeSpan(_parse(start, "--from"), _parse(end, "--to"))
    if span.from_us is not None and span.to_us is not None and span.from_us >= span.to_us:
        raise ConfigurationError(f"--from {start} is not before --to {end}; swap or move them")
    return span


def _parse(text: str | None, option: str) -> int | None:
    if text is None:
        return None
    if text.lstrip("-").isdecimal():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"{option} {text!r} is no time; write it as 2026-11-24T10:00:00Z (UTC where no zone "
            f"is given) or as microseconds since the epoch"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - datetime.fromtimestamp(0, UTC)
    return (since.days * 86_400 + since.seconds) * _MICROSECONDS_S + since.microseconds


def iso(time_us: int) -> str:
    """Return a time as ISO 8601 in UTC; what no calendar holds stays a number."""
    try:
        moment = datetime.fromtimestamp(time_us // _MICROSECONDS_S, UTC)
    except (ValueError, OverflowError, OSError):
        return f"{time_us} us"
    return moment.replace(microsecond=time_us % _MICROSECONDS_S).isoformat()
