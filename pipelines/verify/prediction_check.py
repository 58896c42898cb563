"""Compare one partition's predictions and velocity windows with what its samples ask for."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from confluent_kafka import Message

from pipelines.ledger import Ledger
from pipelines.predictions import ModelId
from pipelines.settings import Settings
from pipelines.verify.letters import LetterStream
from pipelines.verify.offline_model import OfflineModels
from pipelines.verify.predicted_rows import Predicted, PredictionStream
from pipelines.verify.prediction_fates import Fates, Part, Past
from pipelines.verify.prediction_letters import ReadLetters
from pipelines.verify.prediction_report import PredictionReport
from pipelines.verify.raw_frames import Sensors
from pipelines.verify.row_matching import Expected, Matched, match
from pipelines.verify.sample_runs import Run, SampleRead, Tick, read_runs
from pipelines.verify.stage_result import StageRow
from pipelines.verify.streams import Read
from pipelines.verify.value_check import ValueCheck
from pipelines.verify.velocity_check import VelocityCheck
from pipelines.verify.velocity_windows import VelocityStream

MOST_DIFFERENCES: Final = 200
"""Places of one read where rows do not match, after which the partition is given up."""
TAIL_ROWS: Final = 50_000
"""Rows past the ledger are looked through this many at a time."""

COUNTS: Final = (
    "records",
    "ticks",
    "streams",
    "samples",
    "predicted",
    "skipped",
    "not_a_number",
    "resets",
    "velocity_windows",
    "dead_letters",
)


class PredictionCheck:
    """One partition; ``counts`` are what the ledger must say."""

    def __init__(
        self,
        row: StageRow,
        settings: Settings,
        models: OfflineModels,
        sensors: Sensors,
        sampled: int,
        whole: bool,
    ) -> None:
        """``sampled``: of how many sensors the model is run again; ``whole``: none is deleted."""
        processing = settings.processing
        self._report = PredictionReport(row, sensors)
        self._sensors = sensors
        self._whole = whole
        self._synced = whole
        self._window_us = round(processing.window_s * 1e6)
        self._forget_ticks = processing.forget_ticks
        reset_gap = int(settings.inference.reset_gap_s * processing.sample_rate_hz)
        self._fates = Fates(reset_gap, processing.forget_ticks, sampled, whole)
        self._ticks = 0
        self._windows = VelocityCheck(processing, self._report, sensors, self._fates.past, whole)
        self._values = ValueCheck(models, self._report)
        self.counts = dict.fromkeys(COUNTS, 0)

    @property
    def values(self) -> int:
        """How many predictions were compared with what the model says."""
        return self._values.values

    @property
    def unknown(self) -> int:
        """How many rows and windows are left out, since deleted data may explain them."""
        return self._report.unknown

    def run(
        self,
        samples: Iterator[list[Message]],
        predictions: PredictionStream,
        windows: VelocityStream,
        letters: LetterStream,
        next_offset: int,
        read: Read,
    ) -> None:
        """Check all samples below ``next_offset``; ``predictions`` numbers the same sensors.

        Raises:
            DataError: a record of predictions cannot be read.
            UnavailableError: the model store does not answer.
        """
        for batch in samples:
            messages = [m for m in batch if (m.offset() or 0) < next_offset]
            if messages and not self._check(messages, predictions, windows, letters):
                return
            read(len(messages))
            if len(messages) < len(batch):
                break
        self._finish(predictions, windows, letters, next_offset)

    def compare_ledger(self, ledger: Ledger, input_end: int) -> None:
        """Report where the ledger's counts are not those of the data."""
        said = ledger.counts
        parts = ("predicted", "skipped", "not_a_number")
        if said.get("samples", 0) != sum(said.get(name, 0) for name in parts):
            self._report.add(
                "wrong", "the ledger's samples are not predicted + skipped + not_a_number"
            )
        if ledger.next_offset > input_end:
            what = f"the ledger says next_offset {ledger.next_offset}, the input ends at "
            self._report.add("wrong", what + str(input_end))
        if not self._whole:
            return
        for name, found in self.counts.items():
            if said.get(name, 0) != found:
                self._report.add(
                    "wrong", f"the ledger says {said.get(name, 0)} {name}, the data {found}"
                )

    def _check(
        self,
        messages: list[Message],
        predictions: PredictionStream,
        windows: VelocityStream,
        letters: LetterStream,
    ) -> bool:
        """Check one read; False where it differs so much that the rest is given up."""
        through = (messages[-1].offset() or 0) + 1
        found = read_runs(messages, self._sensors, self._window_us)
        written = ReadLetters(letters.until(through), self._sensors, self._report.letter)
        steps: list[Part | Tick] = []
        for item in found.items:
            if isinstance(item, Run):
                steps += self._fates.of(item, written)
            elif isinstance(item, Tick):
                self._fates.tick()
                steps.append(item)
            elif not written.claim(item):
                what = (
                    f"sensor-data-transformed/{self._report.row.partition}/{item.offset} holds no "
                )
                self._report.add("lost", what + "samples and is not in the dead letters")
        written.end()
        self.counts["records"] += len(messages)
        self.counts["streams"] += len(found.tables)
        self.counts["samples"] += len(found.sensor)
        self.counts["dead_letters"] += written.claimed
        matched = self._match(steps, found, predictions)
        self._apply(steps, found, matched, predictions)
        self._windows.compare(windows.until(through))
        self.counts["velocity_windows"] = self._windows.closed
        if matched.cut:
            row = self._report.row
            row.notes.append(
                f"predictions of partition {row.partition}: given up at offset {through} of "
                f"sensor-data-transformed: more than {MOST_DIFFERENCES} places differ"
            )
        return not matched.cut

    def _match(
        self, steps: list[Part | Tick], found: SampleRead, predictions: PredictionStream
    ) -> Matched:
        """Match the rows that must be predicted with those that are, and report the rest."""
        parts = [s for s in steps if isinstance(s, Part) and s.fate == "predicted"]
        ranges = [np.arange(p.run.row + p.start, p.run.row + p.start + p.rows) for p in parts]
        rows = np.concatenate([np.empty(0, np.int64), *ranges])
        expected = Expected(found.sensor[rows], found.boot[rows], found.number[rows])
        matched = match(expected, predictions, MOST_DIFFERENCES)
        known = matched.found.timestamp_us == found.timestamp_us[rows]
        for at in np.flatnonzero(~known & ~matched.lost).tolist():
            self._report.sample("wrong", "a prediction has another timestamp", expected, at)
        if not self._synced and not matched.lost.all():
            self._synced = True
            self._report.unknown += int(np.argmin(matched.lost)) + matched.extra.size
            matched.lost[: int(np.argmin(matched.lost))] = False
        else:
            self._report_extra(matched.extra)
        at = 0
        for part in parts:
            lost = int(matched.lost[at : at + part.rows].sum())
            if (lost and part.unproved) or not self._synced:
                self._report.unknown += lost
            elif lost:
                place = at + int(np.argmax(matched.lost[at : at + part.rows]))
                self._report.sample(
                    "lost", f"{lost} predictions are missing", expected, place, lost
                )
            at += part.rows
        return matched

    def _report_extra(self, extra: Predicted) -> None:
        for at in range(extra.size):
            number = int(extra.sensor[at])
            past = self._fates.past.get(number)
            again = past is not None and (int(extra.boot[at]), int(extra.number[at])) <= (
                past.boot,
                past.last,
            )
            rows = Expected(extra.sensor, extra.boot, extra.number)
            if again:
                self._report.sample("doubled", "a prediction is there again", rows, at)
            else:
                self._report.sample("wrong", "a prediction has no sample", rows, at)

    def _apply(
        self,
        steps: list[Part | Tick],
        found: SampleRead,
        matched: Matched,
        predictions: PredictionStream,
    ) -> None:
        """Take the parts in order: their counts, their windows, what the model says of them."""
        at = 0
        for step in steps:
            if isinstance(step, Tick):
                self._tick(step, predictions)
                continue
            past = self._fates.past[step.run.sensor]
            past.last_tick = self._ticks
            self.counts[step.fate] += step.rows
            if step.fate == "predicted":
                rows = matched.found.part(at, at + step.rows)
                lost = matched.lost[at : at + step.rows]
                at += step.rows
                self._predicted(step, past, rows, bool(lost.any()), found, predictions)
                continue
            past.skipped += step.rows
            if step.fate == "not_a_number":
                self._values.without_number(step, past, _model(predictions, past.era), found)
                past.at_zero = True

    def _predicted(
        self,
        part: Part,
        past: Past,
        rows: Predicted,
        lossy: bool,
        found: SampleRead,
        predictions: PredictionStream,
    ) -> None:
        era = past.era if lossy else int(rows.era[0])
        switched = past.era not in (-1, era)
        at_zero = part.anew or past.at_zero or switched
        if at_zero and not (part.first and not self._whole):
            past.state_known = True
        past.at_zero, past.era = False, era
        if not lossy:
            past.unproved = False
        self.counts["resets"] += at_zero
        model = _model(predictions, era)
        self._windows.add(part, past, rows, model, at_zero, lossy)
        self._values.predicted(part, past, rows, model, at_zero, lossy, found)

    def _tick(self, tick: Tick, predictions: PredictionStream) -> None:
        self.counts["ticks"] += 1
        self._ticks += 1
        if self._whole and (found := predictions.read_tick()) != tick.value:
            shown = "nothing" if found is None else found[:80].decode(errors="replace")
            self._report.add(
                "wrong", f"the tick at offset {tick.offset} is {shown} in the predictions"
            )
        self._windows.tick(self._ticks, tick.offset + 1)
        for past in self._fates.past.values():
            if self._ticks - past.last_tick >= self._forget_ticks:
                past.skipped, past.at_zero = 0, True

    def _finish(
        self,
        predictions: PredictionStream,
        windows: VelocityStream,
        letters: LetterStream,
        next_offset: int,
    ) -> None:
        """Look through what follows; later transactions wrote it, unless it was there before."""
        while (rest := predictions.take(TAIL_ROWS)).size:
            again = [at for at in range(rest.size) if self._was_before(rest, at)]
            for at in again:
                rows = Expected(rest.sensor, rest.boot, rest.number)
                self._report.sample("doubled", "a prediction is there again", rows, at)
        self._windows.compare(windows.rest(next_offset))
        letters.drain()
        for letter in letters.strays:
            self._report.letter("wrong", "comes after letters of later records", letter)
        for own in (*windows.malformed, *letters.malformed):
            self._report.add(
                "wrong", f"a velocity window or dead letter at offset {own} cannot be read"
            )

    def _was_before(self, rows: Predicted, at: int) -> bool:
        past = self._fates.past.get(int(rows.sensor[at]))
        return past is not None and (int(rows.boot[at]), int(rows.number[at])) <= (
            past.boot,
            past.last,
        )


def _model(predictions: PredictionStream, era: int) -> ModelId | None:
    return predictions.models[era] if era >= 0 else None
