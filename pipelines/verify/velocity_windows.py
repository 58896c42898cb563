"""Velocity windows computed again from the published predictions, and those published."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson
from confluent_kafka import Message

from pipelines.predictions import ModelId
from pipelines.verify.predicted_rows import Predicted

TOLERANCE: Final = 1e-6


@dataclass
class VelocityWindow:
    """What the predictions say of an open window; ``unsure`` where a part of it is not known."""

    boot: int
    start_us: int
    first_sample: int
    unsure: bool = False
    last_sample: int = 0
    samples: int = 0
    moving: int = 0
    velocity_sum: float = 0.0
    velocity_max: float = float("-inf")
    resets: int = 0
    model: ModelId | None = None

    def add(self, rows: Predicted, model: ModelId | None, resets: int) -> None:
        """Add neighbouring samples."""
        self.last_sample = int(rows.number[-1])
        self.samples += rows.size
        self.moving += int((rows.moving >= 0.5).sum())
        self.velocity_sum += float(rows.velocity.sum())
        self.velocity_max = max(self.velocity_max, float(rows.velocity.max()))
        self.resets += resets
        self.model = model


@dataclass(frozen=True)
class ClosedWindow:
    """A window that must have been published."""

    sensor: int
    window: VelocityWindow
    skipped: int
    closed_by: str
    through_offset: int

    @property
    def key(self) -> tuple[int, int, int]:
        """Sensor, boot and first sample: no two windows share them."""
        return self.sensor, self.window.boot, self.window.first_sample

    def faults(self, published: dict[str, Any], window_us: int, rate_hz: float) -> list[str]:
        """Return the names of the published fields that are not what the predictions say."""
        w = self.window
        exact = {
            "start_us": w.start_us,
            "end_us": w.start_us + window_us,
            "samples": w.samples,
            "last_sample": w.last_sample,
            "resets": w.resets,
            "skipped": self.skipped,
            "model": None if w.model is None else w.model._asdict(),
            "closed_by": self.closed_by,
            "through_offset": self.through_offset,
        }
        near = {
            "velocity_max": w.velocity_max,
            "distance_m": w.velocity_sum / rate_hz,
            "moving_share": w.moving / w.samples,
        }
        found = [name for name, value in exact.items() if published.get(name) != value]
        for name, value in near.items():
            said = published.get(name)
            if not isinstance(said, float | int) or not (
                abs(said - value) <= TOLERANCE * max(1.0, abs(value))
            ):
                found.append(name)
        return found


class VelocityStream:
    """Gives the published velocity windows up to a ``through_offset``, with their own offsets."""

    def __init__(self, batches: Iterator[list[Message]]) -> None:
        self._batches = batches
        self._pending: list[tuple[int, dict[str, Any]]] = []
        self._ended = False
        self.malformed: list[int] = []

    def until(self, through_offset: int) -> list[tuple[int, dict[str, Any]]]:
        """Return the next windows closed by a record below ``through_offset``."""
        while not self._ended and not any(
            window["through_offset"] > through_offset for _, window in self._pending
        ):
            self._read()
        taken = [w for w in self._pending if w[1]["through_offset"] <= through_offset]
        self._pending = [w for w in self._pending if w[1]["through_offset"] > through_offset]
        return taken

    def rest(self, through_offset: int) -> list[tuple[int, dict[str, Any]]]:
        """Read the topic to its end; return those windows that should have come before."""
        taken = self.until(through_offset)
        while not self._ended:
            self._read()
            taken += [w for w in self._pending if w[1]["through_offset"] <= through_offset]
            self._pending = []
        return taken

    def _read(self) -> None:
        batch = next(self._batches, None)
        if batch is None:
            self._ended = True
            return
        for message in batch:
            if message.key() is not None:
                self._take(message)

    def _take(self, message: Message) -> None:
        value = message.value() or b""
        if b'"velocity"' not in value:
            return
        try:
            window = orjson.loads(value)
            if window["kind"] != "velocity":
                return
            _ = (window["sensor_id"], window["boot"] + 0, window["first_sample"] + 0)
            _ = window["through_offset"] + 0
        except (orjson.JSONDecodeError, KeyError, TypeError):
            self.malformed.append(message.offset() or 0)
            return
        self._pending.append((message.offset() or 0, window))
