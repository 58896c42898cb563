"""Ticks: the pipelines' clock, one a second, queued at the broker in line with the frames.

A tick's number is the whole second since the epoch in which it was published, so numbers go on
after the bridge restarts, with a step over the seconds in which there was none. While one bridge
runs, numbers only rise, by one at the least, also when the wall clock is set back.

Silence is how many ticks an operator has seen since a sensor's last frame, not a difference of
tick numbers: after an outage of the bridge the frames that queued meanwhile come before the next
tick, whose number has jumped by the whole outage. A tick is delivered twice only when the bridge
died, or its connection did, in the milliseconds before it could acknowledge it; such a tick makes
a silence one second shorter, of the ten that close a window, and is the same in every replay.
"""

from typing import NamedTuple

import orjson

from pipelines.errors import DataError

MQTT_TOPIC = "imustream/tick"
PERIOD_S = 1.0


class Tick(NamedTuple):
    """One tick: its number, and when it was published in microseconds since the epoch."""

    tick: int
    published_us: int


def encode_tick(tick: Tick) -> bytes:
    """Return the value of a tick's record, ``{"tick": n, "published_us": us}``."""
    return orjson.dumps({"tick": tick.tick, "published_us": tick.published_us})


def decode_tick(value: bytes) -> Tick:
    """Read the value of a tick's record.

    Raises:
        DataError: it is no JSON object with the two whole numbers of a tick.
    """
    try:
        fields = orjson.loads(value)
        number, published_us = fields["tick"], fields["published_us"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        number = published_us = None
    if type(number) is not int or type(published_us) is not int:
        raise DataError(f"{value[:80]!r} is no tick; publish only ticks to {MQTT_TOPIC}")
    return Tick(number, published_us)


class TickSchedule:
    """Says when the next tick is due and which number it has. The clocks are given to it."""

    def __init__(self) -> None:
        self._last = 0
        self._due_s = 0.0

    def next(self, now_us: int, monotonic_s: float) -> Tick | None:
        """Return the tick to publish now, or None where it is not yet time.

        now_us: wall clock, microseconds since the epoch; it names the tick.
        monotonic_s: a clock that is never set; it paces the ticks.
        """
        if monotonic_s < self._due_s:
            return None
        # A stalled loop publishes one tick when it goes on, not one for each it missed.
        late_s = monotonic_s - self._due_s
        self._due_s = (self._due_s if late_s < PERIOD_S else monotonic_s) + PERIOD_S
        self._last = max(now_us // 1_000_000, self._last + 1)
        return Tick(self._last, now_us)
