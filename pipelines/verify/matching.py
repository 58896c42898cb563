"""Match the frames of one read of imu-data-all with the rows made from them."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipelines.verify.boots import Boot, Rules, Sensor
from pipelines.verify.coverage import Interval
from pipelines.verify.raw_frames import Frame, RawRecord
from pipelines.verify.result import Difference, PartitionRow
from pipelines.verify.transformed_rows import Rows


class Run(NamedTuple):
    """Consecutive rows [at, at + end - start) with consecutive sample numbers [start, end)."""

    at: int
    offset: int
    sensor: int
    boot: int
    start: int
    end: int
    late: bool


class Matched(NamedTuple):
    """Rows [at, at + rows) are the samples of frame ``frame`` from ``first`` on."""

    at: int
    rows: int
    frame: int
    first: int


class LateRun(NamedTuple):
    """Rows that say they are late: true if their windows, ending by ``end_us``, were closed."""

    offset: int
    sensor: int
    boot: int
    sample: int
    end_us: int


def runs_of(rows: Rows) -> list[Run]:
    """Cut rows into runs."""
    columns = rows.columns
    index = columns["sample_index"].astype(np.int64)
    change = np.ones(len(rows), np.bool_)
    change[1:] = index[1:] != index[:-1] + 1
    for column in (rows.sensor, columns["boot"], columns["raw_offset"], columns["late"]):
        change[1:] |= column[1:] != column[:-1]
    first = np.flatnonzero(change)
    counts = np.diff(np.append(first, len(rows)))
    return [
        Run(*fields)
        for fields in zip(
            first.tolist(),
            columns["raw_offset"][first].tolist(),
            rows.sensor[first].tolist(),
            columns["boot"][first].tolist(),
            index[first].tolist(),
            (index[first] + counts).tolist(),
            columns["late"][first].tolist(),
            strict=True,
        )
    ]


class FrameMatcher:
    """Takes frames and runs in order, and keeps the account of what is lost and doubled."""

    def __init__(
        self,
        row: PartitionRow,
        rules: Rules,
        ids: list[str],
        sensor_of: Callable[[int], Sensor],
        since_us: int,
    ) -> None:
        self._row = row
        self._sensor_of = sensor_of
        self._rules = rules
        self._ids = ids
        self._since_us = since_us
        self.matched: list[Matched] = []
        self.late: list[LateRun] = []
        self._runs: list[Run] = []
        self._next = 0
        self._late_offset: int | None = None

    def begin(self, rows: Rows | None, late_offset: int | None = None) -> None:
        """Take the rows of the next read.

        ``late_offset``: which input offset the windows tell late rows by; of a redrive, which comes
        behind all input so far, not the rows' own.
        """
        self._late_offset = late_offset
        self._runs = runs_of(rows) if rows is not None else []
        self._next = 0
        self.matched = []
        self.late = []

    def end(self) -> None:
        """Report the rows that belong to no frame."""
        for run in self._runs[self._next :]:
            self._report_foreign(run)
        self._next = len(self._runs)

    def take(self, number: int, frame: Frame, record: RawRecord, sensor: Sensor) -> None:
        """Match one good frame that has samples, and is no dead letter."""
        end = frame.base + frame.samples
        rules, row = self._rules, self._row
        last_us = frame.timestamp_us + round((frame.samples - 1) * rules.period_us)
        whole = Interval(frame.base, end, frame.timestamp_us, last_us)
        at = frame.base
        missing: list[tuple[int, int]] = []
        boot: Boot | None = None
        for run in self._of_frame(frame, record):
            if boot is None:
                boot = self._boot(run, frame, record, sensor)
            if run.start > at:
                missing.append((at, run.start))
            at = run.end
            part = Interval(
                run.start,
                run.end,
                round(whole.time_us(run.start)),
                round(whole.time_us(run.end - 1)),
            )
            again = boot.coverage.add(part)
            if again:
                self._add("doubled", "samples transformed twice", record, run, again)
            self.matched.append(
                Matched(run.at, run.end - run.start, number, run.start - frame.base)
            )
            if run.late:
                self._note_late(run, frame, boot)
            if record.received_us >= self._since_us:
                boot.samples += run.end - run.start
                boot.end_sample = max(boot.end_sample, run.end)
        row.samples += frame.samples
        if boot is None:
            missing = [(frame.base, end)]
        else:
            row.transformed += 1
            boot.move(frame.base, frame.timestamp_us, last_us, rules)
            if record.received_us >= self._since_us:
                boot.frames += 1
                boot.base_sum += frame.base
            if at < end:
                missing.append((at, end))
        self._account_missing(missing, whole, record, sensor, transformed=boot is not None)

    def _of_frame(self, frame: Frame, record: RawRecord) -> Iterator[Run]:
        """Take the runs that are this frame's, in ascending order; cut one that goes beyond."""
        boot: int | None = None
        at, end = frame.base, frame.base + frame.samples
        while self._next < len(self._runs):
            run = self._runs[self._next]
            if run.offset < record.offset:
                self._next += 1
                self._report_foreign(run)
                continue
            if run.offset > record.offset or run.sensor != record.sensor:
                break
            if not frame.base <= run.start < end or boot not in (None, run.boot):
                break
            if run.start < at:
                # Of this frame and boot, and taken already.
                self._report_foreign(self._cut(at))
                continue
            taken = self._cut(end)
            boot, at = taken.boot, taken.end
            yield taken

    def _cut(self, end: int) -> Run:
        """Take the next run as far as sample number ``end``."""
        run = self._runs[self._next]
        if run.end <= end:
            self._next += 1
            return run
        self._runs[self._next] = run._replace(at=run.at + end - run.start, start=end)
        return run._replace(end=end)

    def _boot(self, run: Run, frame: Frame, record: RawRecord, sensor: Sensor) -> Boot:
        """Return the boot that rows claim, and see whether it can be that one."""
        known = sensor.boots.get(run.boot)
        newest = sensor.boots.get(sensor.latest)
        if known is None and sensor.boots:
            off_us = abs(
                newest.off_line_us(frame.base, frame.timestamp_us, self._rules.period_us)
                if newest is not None
                else 2 * self._rules.lateness_us
            )
            beyond = sensor.latest + 1 + sensor.heartbeats
            if not sensor.latest < run.boot <= beyond or off_us <= self._rules.lateness_us / 2:
                self._add(
                    "wrong",
                    f"rows say boot {run.boot} of a sensor in boot {sensor.latest}",
                    record,
                    run,
                    1,
                )
        elif (
            known is None and run.boot != 0 and not sensor.heartbeats and not self._row.first_offset
        ):
            self._add("wrong", f"the first rows of a sensor say boot {run.boot}", record, run, 1)
        elif known is not None and run.boot < sensor.latest - 1:
            self._add(
                "wrong",
                f"rows say boot {run.boot} of a sensor in boot {sensor.latest}",
                record,
                run,
                1,
            )
        sensor.heartbeats = 0
        return sensor.boot(run.boot, frame.base, frame.timestamp_us, self._rules)

    def _note_late(self, run: Run, frame: Frame, boot: Boot) -> None:
        count = run.end - run.start
        self._row.samples_late += count
        boot.late.append((run.offset if self._late_offset is None else self._late_offset, count))
        first_us = frame.timestamp_us + (run.start - frame.base) * self._rules.period_us
        end_us = (first_us // self._rules.window_us + 1) * self._rules.window_us
        closed_us = self._rules.closed_until(max(boot.latest_us, boot.first_us))
        if end_us > closed_us:
            self.late.append(LateRun(run.offset, run.sensor, run.boot, run.start, int(end_us)))

    def _account_missing(
        self,
        missing: list[tuple[int, int]],
        whole: Interval,
        record: RawRecord,
        sensor: Sensor,
        *,
        transformed: bool,
    ) -> None:
        """See that samples without rows were seen before; else they are lost."""
        row = self._row
        lost = 0
        for start, end in missing:
            part = Interval(start, end, round(whole.time_us(start)), round(whole.time_us(end - 1)))
            unseen = sensor.unseen(part)
            row.samples_duplicate += end - start
            for low, high in unseen:
                row.samples_duplicate -= high - low
                lost += high - low
                if row.first_offset and self._may_be_earlier(sensor, low):
                    row.unknown += high - low
                    continue
                run = Run(0, record.offset, record.sensor, sensor.latest, low, high, False)
                self._add(
                    "lost", f"{high - low} samples are not in transformed", record, run, high - low
                )
        if not transformed and not lost:
            row.duplicates += 1

    def _may_be_earlier(self, sensor: Sensor, number: int) -> bool:
        """Say whether a sample may have been transformed before the check begins."""
        boots = sensor.boots.values()
        return not boots or all(number < boot.coverage.lowest() for boot in boots)

    def _report_foreign(self, run: Run) -> None:
        """Report rows whose samples were there before, or are in no frame."""
        rows = run.end - run.start
        record = RawRecord(run.offset, run.sensor, 0, 0, b"")
        boot = self._sensor_of(run.sensor).boots.get(run.boot)
        if boot is not None and not list(boot.coverage.holes(run.start, run.end)):
            self._add("doubled", f"{rows} rows are there again", record, run, rows)
        else:
            self._add("wrong", f"no frame of their raw_offset holds {rows} rows", record, run, rows)

    def _add(self, kind: str, what: str, record: RawRecord, run: Run, count: int) -> None:
        difference = Difference(
            kind,  # type: ignore[arg-type]
            what,
            self._row.partition,
            record.offset,
            self._ids[record.sensor],
            run.boot,
            run.start,
        )
        self._row.add(difference, count)


def row_sources(
    matched: list[Matched],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return for each matched row its index, its frame and which sample of the frame it is."""
    at = np.array([m.at for m in matched], np.int64)
    count = np.array([m.rows for m in matched], np.int64)
    frame = np.repeat(np.array([m.frame for m in matched], np.int64), count)
    first = np.repeat(np.array([m.first for m in matched], np.int64), count)
    within = np.arange(len(first)) - np.repeat(np.cumsum(count) - count, count)
    return np.repeat(at, count) + within, frame, first + within
