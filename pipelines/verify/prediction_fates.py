"""What must become of each sample by ml_inference's rules, from sample numbers and dead letters."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from pipelines.verify.offline_model import SensorModel
from pipelines.verify.prediction_letters import ReadLetters
from pipelines.verify.sample_runs import Run
from pipelines.verify.velocity_windows import VelocityWindow

Fate = Literal["predicted", "skipped", "not_a_number"]


@dataclass
class Past:
    """What is known of a sensor.

    unproved: whether earlier rows, which are deleted, may have made the next ones be skipped
    state_known: whether the model's state follows from rows that are there
    at_zero: whether that state begins at zero with the next sample
    era: of the last prediction, -1 before the first
    """

    unproved: bool
    state_known: bool
    windows_known: bool
    boot: int = -1
    last: int = -1
    seen_tick: int = 0
    at_zero: bool = True
    era: int = -1
    last_tick: int = 0
    skipped: int = 0
    window: VelocityWindow | None = None
    last_closed: tuple[int, int] = (-1, -1)
    model: SensorModel | None = None


class Part(NamedTuple):
    """``rows`` rows of a run, from its row ``start`` on, with one fate.

    anew:     whether numbers alone say that the model's state begins at zero with the first
    first:    whether nothing is known of the sensor before
    unproved: as of :class:`Past`
    """

    run: Run
    fate: Fate
    start: int
    rows: int
    anew: bool = False
    first: bool = False
    unproved: bool = False


class Fates:
    """The sensors of one partition, as far as sample numbers tell."""

    def __init__(self, reset_gap: int, forget_ticks: int, sampled: int, whole: bool) -> None:
        """``sampled``: of how many sensors the model is run again; ``whole``: none is deleted."""
        self.past: dict[int, Past] = {}
        self.ticks = 0
        self._reset_gap = reset_gap
        self._forget_ticks = forget_ticks
        self._sampled = sampled
        self._whole = whole

    def of(self, run: Run, letters: ReadLetters) -> list[Part]:
        """Return what must become of a run's rows."""
        past = self._of_sensor(run.sensor)
        past.seen_tick = self.ticks
        skipped = 0
        if run.boot < past.boot:
            skipped = run.rows
        elif run.boot == past.boot:
            skipped = max(0, min(run.rows, past.last + 1 - run.first))
        parts = [Part(run, "skipped", 0, skipped)] if skipped else []
        if skipped == run.rows:
            return parts
        gap = run.first + skipped - past.last - 1
        first = past.boot < 0
        anew = run.boot > past.boot or gap > self._reset_gap
        past.boot, past.last = run.boot, run.first + run.rows - 1
        numbers = letters.first_without(run, skipped)
        if numbers > skipped:
            count = numbers - skipped
            parts.append(Part(run, "predicted", skipped, count, anew, first, past.unproved))
        if numbers < run.rows:
            begins = anew and numbers == skipped
            parts.append(
                Part(run, "not_a_number", numbers, run.rows - numbers, begins, first and begins)
            )
        return parts

    def tick(self) -> None:
        """Count a tick, and forget sensors silent for long."""
        self.ticks += 1
        for past in self.past.values():
            if past.boot >= 0 and self.ticks - past.seen_tick >= self._forget_ticks:
                past.boot, past.last = -1, -1

    def _of_sensor(self, sensor: int) -> Past:
        past = self.past.get(sensor)
        if past is None:
            past = self.past[sensor] = Past(not self._whole, self._whole, self._whole)
            if sum(p.model is not None for p in self.past.values()) < self._sampled:
                past.model = SensorModel()
        return past
