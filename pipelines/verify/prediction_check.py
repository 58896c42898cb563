"""Compare one partition's predictions and velocity windows with what its samples ask for."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from confluent_kafka import Message

from pipelines.ledger import Ledger
from pipelines.settings import Settings
from pipelines.verify.letters import Letter, LetterStream
from pipelines.verify.offline_model import OfflineModels, differing
from pipelines.verify.predicted_rows import Predicted, PredictionStream
from pipelines.verify.prediction_fates import Fates, Part, Past
from pipelines.verify.prediction_letters import ReadLetters
from pipelines.verify.raw_frames import Sensors
from pipelines.verify.result import Difference, Kind
from pipelines.verify.row_matching import Expected, Matched, match
from pipelines.verify.sample_runs import Run, SampleRead, Tick, read_runs
from pipelines.verify.stage_result import StageRow
from pipelines.verify.streams import Read
from pipelines.verify.velocity_windows import ClosedWindow, VelocityStream, VelocityWindow

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
    """One partition; ``counts`` are what the ledger must say.

    ``unknown`` counts rows and windows that deleted data may explain.
    """

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
        self._row = row
        self._models = models
        self._sensors = sensors
        self._whole = whole
        self._synced = whole
        self._rate_hz = processing.sample_rate_hz
        self._window_us = round(processing.window_s * 1e6)
        self._silence_ticks = processing.silence_ticks
        self._forget_ticks = processing.forget_ticks
        reset_gap = int(settings.inference.reset_gap_s * processing.sample_rate_hz)
        self._fates = Fates(reset_gap, processing.forget_ticks, sampled, whole)
        self._ticks = 0
        self._closed: list[ClosedWindow] = []
        self._unknown_models: set[int] = set()
        self.counts = dict.fromkeys(COUNTS, 0)
        self.values = 0
        self.unknown = 0

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
            self._add("wrong", "the ledger's samples are not predicted + skipped + not_a_number")
        if ledger.next_offset > input_end:
            what = f"the ledger says next_offset {ledger.next_offset}, the input ends at "
            self._add("wrong", what + str(input_end))
        if not self._whole:
            return
        for name, found in self.counts.items():
            if said.get(name, 0) != found:
                self._add("wrong", f"the ledger says {said.get(name, 0)} {name}, the data {found}")

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
        written = ReadLetters(letters.until(through), self._sensors, self._letter)
        steps: list[Part | Tick] = []
        for item in found.items:
            if isinstance(item, Run):
                steps += self._fates.of(item, written)
            elif isinstance(item, Tick):
                self._fates.tick()
                steps.append(item)
            elif not written.claim(item):
                what = f"sensor-data-transformed/{self._row.partition}/{item.offset} holds no "
                self._add("lost", what + "samples and is not in the dead letters")
        written.end()
        self.counts["records"] += len(messages)
        self.counts["streams"] += len(found.tables)
        self.counts["samples"] += len(found.sensor)
        self.counts["dead_letters"] += written.claimed
        matched = self._match(steps, found, predictions)
        self._apply(steps, found, matched, predictions)
        self._compare_windows(windows.until(through))
        if matched.cut:
            self._row.notes.append(
                f"predictions of partition {self._row.partition}: given up at offset {through} of "
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
            self._sample("wrong", "a prediction has another timestamp", expected, at)
        if not self._synced and not matched.lost.all():
            self._synced = True
            self.unknown += int(np.argmin(matched.lost)) + matched.extra.size
            matched.lost[: int(np.argmin(matched.lost))] = False
        else:
            self._report_extra(matched.extra)
        at = 0
        for part in parts:
            lost = int(matched.lost[at : at + part.rows].sum())
            if (lost and part.unproved) or not self._synced:
                self.unknown += lost
            elif lost:
                place = at + int(np.argmax(matched.lost[at : at + part.rows]))
                self._sample("lost", f"{lost} predictions are missing", expected, place, lost)
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
                self._sample("doubled", "a prediction is there again", rows, at)
            else:
                self._sample("wrong", "a prediction has no sample", rows, at)

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
                self._without_number(step, past, found, predictions)

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
        run, window = part.run, past.window
        if window is not None and (window.boot, window.start_us) != (run.boot, run.start_us):
            by = "time" if window.boot == run.boot else "reboot"
            self._close(run.sensor, past, by, run.offset + 1)
        if past.window is None:
            first = run.first + part.start
            past.window = VelocityWindow(run.boot, run.start_us, first, not past.windows_known)
        past.window.unsure |= lossy
        model = predictions.models[era] if era >= 0 else None
        past.window.add(rows, model, int(at_zero))
        if model is None:
            past.state_known = False
        elif past.model is not None and past.state_known:
            self._compare_values(part, past, rows, lossy, at_zero, found, era, predictions)

    def _compare_values(
        self,
        part: Part,
        past: Past,
        rows: Predicted,
        lossy: bool,
        at_zero: bool,
        found: SampleRead,
        era: int,
        predictions: PredictionStream,
    ) -> None:
        """Run the model over a part, and compare."""
        opened = self._models.get(predictions.models[era])
        if opened is None:
            if era not in self._unknown_models:
                name, version, sha256 = predictions.models[era]
                what = f"the store has no model {name} version {version} of SHA-256 {sha256}"
                self._add("wrong", what + ": its predictions cannot be proved")
            self._unknown_models.add(era)
            past.state_known = False
            return
        model, session = opened
        assert past.model is not None
        if at_zero:
            past.model.begin(model)
        raw = found.features(part.run, model.features, part.start, part.start + part.rows)
        said = past.model.run(model, session, raw)
        if lossy:
            return
        self.values += part.rows
        wrong = np.flatnonzero(differing(said, np.stack([rows.velocity, rows.moving], axis=1)))
        if len(wrong):
            at = int(wrong[0])
            what = f"{len(wrong)} predictions are not what the model says (velocity "
            what += f"{rows.velocity[at]:.6g}, not {said[at, 0]:.6g})"
            place = Expected(rows.sensor, rows.boot, rows.number)
            self._sample("wrong", what, place, at, len(wrong))
            past.state_known = False

    def _without_number(
        self, part: Part, past: Past, found: SampleRead, predictions: PredictionStream
    ) -> None:
        """See that the model gives no number for the first of these rows, and begin anew."""
        known = past.model is not None and past.state_known and past.era >= 0
        opened = self._models.get(predictions.models[past.era]) if known else None
        if opened is not None and past.model is not None:
            model, session = opened
            if part.anew or past.at_zero:
                past.model.begin(model)
            raw = found.features(part.run, model.features, part.start, part.start + 1)
            if np.isfinite(past.model.run(model, session, raw)).all():
                run = part.run
                rows = Expected(
                    *(np.array([n]) for n in (run.sensor, run.boot, run.first + part.start))
                )
                self._sample("wrong", "the model gives a number for a dead letter", rows, 0)
        past.at_zero = True

    def _tick(self, tick: Tick, predictions: PredictionStream) -> None:
        self.counts["ticks"] += 1
        self._ticks += 1
        if self._whole and (found := predictions.read_tick()) != tick.value:
            shown = "nothing" if found is None else found[:80].decode(errors="replace")
            self._add("wrong", f"the tick at offset {tick.offset} is {shown} in the predictions")
        silent = []
        for sensor, past in self._fates.past.items():
            quiet = self._ticks - past.last_tick
            if past.window is not None and quiet >= min(self._silence_ticks, self._forget_ticks):
                silent.append((self._id(sensor).encode(), sensor, past))
            if quiet >= self._forget_ticks:
                past.skipped, past.at_zero = 0, True
        for _, sensor, past in sorted(silent, key=lambda found: found[0]):
            self._close(sensor, past, "silence", tick.offset + 1)

    def _close(self, sensor: int, past: Past, by: str, through: int) -> None:
        assert past.window is not None
        self._closed.append(ClosedWindow(sensor, past.window, past.skipped, by, through))
        past.window, past.skipped = None, 0
        past.windows_known = True
        self.counts["velocity_windows"] += 1

    def _compare_windows(self, published: list[tuple[int, dict[str, Any]]]) -> None:
        """Compare the windows closed in one read with those published, in order."""
        expected = {closed.key: closed for closed in self._closed}
        order = [closed.key for closed in self._closed]
        self._closed = []
        came = []
        for own, window in published:
            sensor = self._sensors.number(str(window["sensor_id"]).encode())
            key = (sensor, window["boot"], window["first_sample"])
            closed = expected.pop(key, None)
            if closed is None:
                self._unexpected_window(key, own, window)
                continue
            came.append(key)
            self._fates.past[sensor].last_closed = key[1:]
            faults = closed.faults(window, self._window_us, self._rate_hz)
            if faults and closed.window.unsure:
                self.unknown += 1
            elif faults:
                what = f"the velocity window from {window.get('start_us')} us differs in "
                self._window("wrong", what + ", ".join(faults), key, own)
        for key, closed in expected.items():
            if closed.window.unsure:
                self.unknown += 1
                continue
            what = f"the velocity window from {closed.window.start_us} us is missing"
            self._window("lost", what, key, None)
        if came != [key for key in order if key not in expected]:
            self._add("wrong", "velocity windows stand in another order than they closed in")

    def _unexpected_window(
        self, key: tuple[int, int, int], own: int, window: dict[str, Any]
    ) -> None:
        past = self._fates.past.get(key[0])
        if not self._whole and (past is None or past.last_closed == (-1, -1)):
            self.unknown += 1
        elif past is not None and key[1:] <= past.last_closed:
            self._window("doubled", "a velocity window is there again", key, own)
        else:
            what = f"the velocity window from {window.get('start_us')} us has no samples"
            self._window("wrong", what, key, own)

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
                self._sample("doubled", "a prediction is there again", rows, at)
        self._compare_windows(windows.rest(next_offset))
        letters.drain()
        for letter in letters.strays:
            self._letter("wrong", "comes after letters of later records", letter)
        for own in (*windows.malformed, *letters.malformed):
            self._add("wrong", f"a velocity window or dead letter at offset {own} cannot be read")

    def _was_before(self, rows: Predicted, at: int) -> bool:
        past = self._fates.past.get(int(rows.sensor[at]))
        return past is not None and (int(rows.boot[at]), int(rows.number[at])) <= (
            past.boot,
            past.last,
        )

    def _id(self, sensor: int) -> str:
        return self._sensors.ids[sensor]

    def _add(self, kind: Kind, what: str) -> None:
        self._row.add(Difference(kind, what, self._row.partition))

    def _letter(self, kind: Kind, what: str, letter: Letter) -> None:
        place = f"dead-letters/{self._row.partition}/{letter.own_offset}"
        self._row.add(Difference(kind, f"{place} {what}", self._row.partition, letter.offset))

    def _sample(self, kind: Kind, what: str, rows: Expected, at: int, count: int = 1) -> None:
        sensor_id = self._id(int(rows.sensor[at]))
        boot, sample = int(rows.boot[at]), int(rows.number[at])
        found = Difference(kind, what, self._row.partition, None, sensor_id, boot, sample)
        self._row.add(found, count)

    def _window(self, kind: Kind, what: str, key: tuple[int, int, int], own: int | None) -> None:
        if own is not None:
            what += f" (sensor-data-aggregated/{self._row.partition}/{own})"
        sensor, boot, sample = key
        self._row.add(
            Difference(kind, what, self._row.partition, None, self._id(sensor), boot, sample)
        )
