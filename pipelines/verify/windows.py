"""Motion windows computed again from transformed rows, and compared with those published."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
from confluent_kafka import Message

from pipelines.verify.redrives import redrive_of
from pipelines.verify.streams import record_headers
from pipelines.verify.transformed_rows import Rows

TOLERANCE = 1e-9
WindowKey = tuple[int, int, int]
"""Sensor's number, boot, start in microseconds."""


@dataclass
class Moments:
    """Statistics of values given part by part (Chan, Golub and LeVeque's joining formula)."""

    count: int = 0
    least: float = math.inf
    largest: float = -math.inf
    mean: float = 0.0
    squares: float = 0.0
    """Sum of squared deviations from the mean."""

    def join(self, count: int, least: float, largest: float, mean: float, squares: float) -> None:
        """Add a part."""
        total = self.count + count
        apart = mean - self.mean
        self.squares += squares + apart * apart * self.count * count / total
        self.mean += apart * count / total
        self.count = total
        self.least = min(self.least, least)
        self.largest = max(self.largest, largest)

    def faults(self, published: Mapping[str, float]) -> list[str]:
        """Return the names of the published statistics that are not these."""
        variance = self.squares / self.count
        right = {
            "min": self.least,
            "max": self.largest,
            "mean": self.mean,
            "rms": math.sqrt(variance + self.mean * self.mean),
            "std": math.sqrt(variance),
        }
        allowed = TOLERANCE * max(abs(self.least), abs(self.largest))
        return [k for k, v in right.items() if not abs(published.get(k, math.nan) - v) <= allowed]


@dataclass
class Window:
    """What the rows say a window holds."""

    first_sample: int
    last_sample: int
    through_offset: int
    acc: Moments = field(default_factory=Moments)
    gyro: Moments = field(default_factory=Moments)


def add_rows(windows: dict[WindowKey, Window], rows: Rows, window_us: int) -> None:
    """Add rows, none of them late, to their windows."""
    if not len(rows):
        return
    columns = rows.columns
    start_us = columns["timestamp_us"].astype(np.int64) // window_us * window_us
    change = np.zeros(len(rows), np.bool_)
    change[0] = True
    for column in (rows.sensor, columns["boot"], start_us, columns["raw_offset"]):
        change[1:] |= column[1:] != column[:-1]
    first = np.flatnonzero(change)
    counts = np.diff(np.append(first, len(rows)))
    parts = zip(
        rows.sensor[first].tolist(),
        columns["boot"][first].tolist(),
        start_us[first].tolist(),
        np.minimum.reduceat(columns["sample_index"], first).tolist(),
        np.maximum.reduceat(columns["sample_index"], first).tolist(),
        (columns["raw_offset"][first] + 1).tolist(),
        _moments(columns["accl_mag"], first, counts),
        _moments(columns["gyro_mag"], first, counts),
        strict=True,
    )
    for sensor, boot, start, low, high, through, acc, gyro in parts:
        window = windows.get((sensor, boot, start))
        if window is None:
            window = windows[sensor, boot, start] = Window(low, high, through)
        window.first_sample = min(window.first_sample, low)
        window.last_sample = max(window.last_sample, high)
        window.through_offset = max(window.through_offset, through)
        window.acc.join(*acc)
        window.gyro.join(*gyro)


def _moments(
    column: npt.NDArray[Any], first: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]
) -> Iterator[tuple[int, float, float, float, float]]:
    values = column.astype(np.float64)
    mean = np.add.reduceat(values, first) / counts
    squares = np.add.reduceat((values - np.repeat(mean, counts)) ** 2, first)
    return zip(
        counts.tolist(),
        np.minimum.reduceat(values, first).tolist(),
        np.maximum.reduceat(values, first).tolist(),
        mean.tolist(),
        squares.tolist(),
        strict=True,
    )


def faults(window: Window, published: Mapping[str, Any], gaps: int, window_us: int) -> list[str]:
    """Return the names of the published fields that are not what the rows say."""
    right = {
        "end_us": published["start_us"] + window_us,
        "samples": window.acc.count,
        "first_sample": window.first_sample,
        "last_sample": window.last_sample,
        "gaps": gaps,
    }
    found = [name for name, value in right.items() if published.get(name) != value]
    found += [f"acc_mag.{name}" for name in window.acc.faults(published["acc_mag"])]
    found += [f"gyro_mag.{name}" for name in window.gyro.faults(published["gyro_mag"])]
    if window.through_offset > published["through_offset"]:
        found.append("through_offset")
    return found


class WindowStream:
    """Gives the published motion windows up to a ``through_offset``, with their own offsets.

    Those closed by a redrive of a letter that is ``later`` than the check are left out.
    """

    def __init__(
        self,
        batches: Iterator[list[Message]],
        later: Callable[[int], bool] = lambda _letter: False,
    ) -> None:
        self._batches = batches
        self._later = later
        self._pending: list[tuple[int, dict[str, Any]]] = []
        self._ended = False
        self.malformed: list[int] = []

    def until(self, through_offset: int) -> list[tuple[int, dict[str, Any]]]:
        """Return the next windows closed by a record below ``through_offset``."""
        while not self._ended and not any(
            window["through_offset"] > through_offset for _, window in self._pending
        ):
            batch = next(self._batches, None)
            if batch is None:
                self._ended = True
                break
            for message in batch:
                self._take(message)
        taken = [w for w in self._pending if w[1]["through_offset"] <= through_offset]
        self._pending = [w for w in self._pending if w[1]["through_offset"] > through_offset]
        return taken

    def rest(self, through_offset: int) -> list[tuple[int, dict[str, Any]]]:
        """Read the topic to its end; return those windows that should have come before."""
        taken = self.until(through_offset)
        for batch in self._batches:
            for message in batch:
                self._take(message)
            taken += [w for w in self._pending if w[1]["through_offset"] <= through_offset]
            self._pending = []
        return taken

    def _take(self, message: Message) -> None:
        if message.key() is None:
            return
        of = redrive_of(record_headers(message))
        if of is not None and self._later(of):
            return
        offset = message.offset() or 0
        try:
            window = orjson.loads(message.value() or b"")
            if window["kind"] != "motion":
                return
            _ = (window["through_offset"], window["acc_mag"], window["gyro_mag"])
            _ = (window["sensor_id"], window["boot"], window["start_us"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            self.malformed.append(offset)
            return
        self._pending.append((offset, window))
