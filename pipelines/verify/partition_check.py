"""Prove one partition: read its topics side by side, in the order of imu-data-all."""

from collections import deque
from collections.abc import Iterator

import numpy as np
from confluent_kafka import Message

from pipelines.verify.boots import Rules, Sensor
from pipelines.verify.coverage import Coverage, Interval
from pipelines.verify.letter_check import LetterCheck
from pipelines.verify.letters import Letter, LetterStream
from pipelines.verify.matching import FrameMatcher, LateRun, row_sources, runs_of
from pipelines.verify.raw_frames import (
    Frame,
    RawFrames,
    RawRecord,
    Sensors,
    raw_samples,
    read_frames,
    take_apart,
)
from pipelines.verify.redrives import Redriven, Redrives
from pipelines.verify.result import Difference, Kind, PartitionRow
from pipelines.verify.streams import Read
from pipelines.verify.transformed_rows import Rows, RowStream, calibration_faults
from pipelines.verify.window_check import WindowCheck
from pipelines.verify.windows import WindowStream

SAMPLES_AT = 18


class PartitionCheck:
    """The check of one partition. ``row`` is its account, ``boots`` what the report is held to."""

    def __init__(self, row: PartitionRow, rules: Rules, since_us: int) -> None:
        """Begin; ``since_us`` is when the reported fleet started, microseconds since the epoch."""
        self.row = row
        self._rules = rules
        self._since_us = since_us
        self.sensors = Sensors()
        self._books: list[Sensor] = []
        self._matcher = FrameMatcher(row, rules, self.sensors.ids, self._book, since_us)
        self._letters = LetterCheck(row, rules, self.sensors.ids)
        self._windows = WindowCheck(row, rules, self.sensors.ids)
        self._late: list[LateRun] = []

    def run(
        self,
        raw: Iterator[list[Message]],
        rows: RowStream,
        letters: LetterStream,
        windows: WindowStream,
        read: Read,
        redrives: Redrives | None = None,
    ) -> None:
        """Read everything below ``next_offset`` and compare it.

        Each redrive is taken where its slot stepped it: between two records of the input.
        """
        redrives = redrives or Redrives()
        waiting = deque(redrives.taken)
        for batch in raw:
            if (batch[0].offset() or 0) >= self.row.next_offset:
                self._count_waiting(batch)
                continue
            inside = [m for m in batch if (m.offset() or 0) < self.row.next_offset]
            self._count_waiting(batch[len(inside) :])
            left = inside
            while left:
                self._redrive_until(left[0].offset() or 0, waiting, rows, letters)
                at = waiting[0].at_offset if waiting else self.row.next_offset
                part = [m for m in left if (m.offset() or 0) < at]
                left = left[len(part) :]
                frames = read_frames(part, self.sensors, self._rules.sample_rate_hz)
                through = frames.through_offset
                found = letters.until(through)
                counted = [letter for letter in found if letter.offset >= self.row.first_offset]
                self._take(frames, rows.until(through), counted)
                # Windows that a redrive closed say the offset it was stepped at.
                self._redrive_until(through, waiting, rows, letters)
                self._compare_windows(windows.until(through))
            read(len(inside))
        if waiting:
            self._redrive_until(self.row.next_offset, waiting, rows, letters)
            self._compare_windows(windows.until(self.row.next_offset))
        self._finish(rows, letters, windows)
        self._report_redrives(rows, letters, redrives, waiting)

    def books(self) -> Iterator[tuple[str, Sensor]]:
        """Yield id and account of every sensor."""
        return zip(self.sensors.ids, self._books_of_all(), strict=True)

    def _count_waiting(self, messages: list[Message]) -> None:
        """Note which sensors have input past ``next_offset``."""
        for message in messages:
            key = message.key()
            if key is not None:
                self._book(self.sensors.number(key)).waiting += 1

    def _book(self, number: int) -> Sensor:
        while len(self._books) <= number:
            self._books.append(Sensor())
        return self._books[number]

    def _redrive_until(
        self, offset: int, waiting: deque[Redriven], rows: RowStream, letters: LetterStream
    ) -> None:
        """Take the redrives that were stepped before this offset of the input, or at it."""
        while waiting and waiting[0].at_offset <= offset:
            self._redrive(waiting.popleft(), rows, letters)

    def _redrive(self, redriven: Redriven, rows: RowStream, letters: LetterStream) -> None:
        """Take the bytes of a letter as a record that came once more."""
        # Read on to where the redrive stands in the logs; nothing of the input is left before it.
        self._matcher.begin(rows.until(redriven.at_offset))
        self._matcher.end()
        self._letters.begin(letters.until(redriven.at_offset))
        self._letters.end()
        made = rows.of_redrives.pop(redriven.letter, None)
        again = letters.of_redrives.pop(redriven.letter, [])
        letter = letters.kept.pop(redriven.letter, None)
        if letter is None or letter.key is None:
            what = f"dead-letters/{self.row.partition}/{redriven.letter} is said to be redriven, "
            what += "and is not there, or was redriven before"
            kind: Kind = "wrong" if made is None and not again else "doubled"
            self.row.add(Difference(kind, what, self.row.partition, redriven.at_offset))
            return
        self.row.redriven += 1
        number = self.sensors.number(letter.key)
        record = RawRecord(letter.offset, number, letter.failed_us, 0, letter.value)
        frames, dead, of_json = take_apart([letter.value], self._rules.sample_rate_hz)
        within = [
            new._replace(start=new.start - letter.start, end=new.end - letter.start)
            for new in again
        ]
        raw = RawFrames([record], frames, dead, of_json, 0, redriven.at_offset)
        self._take(raw, made, within, redriven)

    def _take(
        self,
        raw: RawFrames,
        rows: Rows | None,
        letters: list[Letter],
        redriven: Redriven | None = None,
    ) -> None:
        row = self.row
        self._matcher.begin(rows, None if redriven is None else redriven.at_offset - 1)
        self._letters.begin(letters)
        frames = iter(enumerate(raw.frames))
        dead = iter(raw.dead)
        frame, piece = next(frames, None), next(dead, None)
        for i, record in enumerate(raw.records):
            counted = redriven is not None or record.offset >= row.first_offset
            sensor = self._seen(record, row.ticks + record.ticks)
            sensor.records += redriven is None and record.received_us >= self._since_us
            row.bytes += len(record.payload) * counted
            while frame is not None and frame[1].record == i:
                if counted:
                    self._frame(*frame, record, sensor, redriven=redriven is not None)
                else:
                    self._earlier_frame(frame[1], sensor)
                frame = next(frames, None)
            while piece is not None and piece.record == i:
                if counted:
                    self._letters.dead_piece(piece, record)
                piece = next(dead, None)
        row.ticks += raw.ticks
        row.records += len(raw.records) + raw.ticks
        self._matcher.end()
        self._letters.end()
        self._late += self._matcher.late
        if rows is not None:
            self._check_values(raw, rows)
            row.samples_transformed += len(rows)
            self._windows.add(rows)

    def _seen(self, record: RawRecord, ticks: int) -> Sensor:
        sensor = self._book(record.sensor)
        if sensor.boots and ticks - sensor.last_tick >= self._rules.forget_ticks:
            sensor = self._books[record.sensor] = Sensor(records=sensor.records)
        sensor.last_tick = ticks
        return sensor

    def _frame(
        self, number: int, frame: Frame, record: RawRecord, sensor: Sensor, *, redriven: bool
    ) -> None:
        self.row.frames += 1
        if self._letters.refused(frame, record, sensor, redriven=redriven):
            return
        if frame.samples:
            self._matcher.take(number, frame, record, sensor)
            return
        self.row.heartbeats += 1
        sensor.heartbeats += 1
        sensor.heartbeat_us = max(sensor.heartbeat_us, frame.timestamp_us)
        newest = sensor.boots.get(sensor.latest)
        if newest is not None:
            off_us = newest.off_line_us(frame.base, frame.timestamp_us, self._rules.period_us)
            if abs(off_us) <= self._rules.lateness_us:
                newest.latest_us = max(newest.latest_us, frame.timestamp_us)

    def _earlier_frame(self, frame: Frame, sensor: Sensor) -> None:
        """Note a frame from before the check begins: a later copy of it is a duplicate."""
        if frame.samples == 0:
            return
        if sensor.earlier is None:
            sensor.earlier = Coverage(self._rules.period_us, self._rules.lateness_us)
        last_us = frame.timestamp_us + round((frame.samples - 1) * self._rules.period_us)
        end = frame.base + frame.samples
        sensor.earlier.add(Interval(frame.base, end, frame.timestamp_us, last_us))

    def _check_values(self, raw: RawFrames, rows: Rows) -> None:
        """Compare timestamps and calibrated values with the bytes that the rows point to."""
        at, frame, sample = row_sources(self._matcher.matched)
        if not len(at):
            return
        record = np.array([f.record for f in raw.frames], np.int64)[frame]
        start = np.array([f.start for f in raw.frames], np.int64)[frame]
        time_us = np.array([f.timestamp_us for f in raw.frames], np.int64)[frame]
        matched = (
            rows
            if len(at) == len(rows)
            else Rows(rows.sensor[at], {name: column[at] for name, column in rows.columns.items()})
        )
        payloads = [raw.made.get(i, r.payload) for i, r in enumerate(raw.records)]
        counts = raw_samples(payloads, record, start + SAMPLES_AT + 20 * sample)
        for what, faults in (
            (
                "values that are not the calibration of the raw bytes",
                calibration_faults(matched, counts),
            ),
            (
                "a timestamp that is not the frame's",
                matched.columns["timestamp_us"]
                != time_us + np.rint(sample * self._rules.period_us).astype(np.int64),
            ),
        ):
            for i in np.flatnonzero(faults).tolist():
                self.row.add(self._of_row(matched, i, f"a row has {what}"))

    def _of_row(self, rows: Rows, i: int, what: str) -> Difference:
        return Difference(
            "wrong",
            what,
            self.row.partition,
            int(rows.columns["raw_offset"][i]),
            self.sensors.ids[int(rows.sensor[i])],
            int(rows.columns["boot"][i]),
            int(rows.columns["sample_index"][i]),
        )

    def _compare_windows(self, published: list[tuple[int, dict[str, object]]]) -> None:
        for own_offset, window in published:
            number = self.sensors.number(str(window["sensor_id"]).encode())
            self._windows.compare(own_offset, window, number, self._book(number))
        claimed, self._late = self._late, []
        for late in claimed:
            sensor = self._book(late.sensor)
            boot = sensor.boots[late.boot]
            closed_us = max(boot.closed_end_us, self._rules.closed_until(sensor.heartbeat_us))
            if late.end_us > closed_us and late.boot == sensor.latest:
                self.row.add(
                    Difference(
                        "wrong",
                        "rows say they are late, and their window was open",
                        self.row.partition,
                        late.offset,
                        self.sensors.ids[late.sensor],
                        late.boot,
                        late.sample,
                    )
                )

    def _finish(self, rows: RowStream, letters: LetterStream, windows: WindowStream) -> None:
        """Read what is left of the outputs: nothing of it may belong below ``next_offset``."""
        row = self.row
        self._matcher.begin(rows.until(row.next_offset))
        self._matcher.end()
        rows.drain()
        self._letters.begin(letters.until(row.next_offset))
        self._letters.end()
        letters.drain()
        self._late = []
        self._compare_windows(windows.rest(row.next_offset))
        self._windows.finish(self._books_of_all(), row.ticks)
        self._report_strays(rows, letters)
        for topic, malformed in (
            ("dead-letters", letters.malformed),
            ("sensor-data-aggregated", windows.malformed),
        ):
            for offset in malformed:
                what = f"{topic}/{row.partition}/{offset} cannot be read"
                row.add(Difference("wrong", what, row.partition))

    def _report_redrives(
        self,
        rows: RowStream,
        letters: LetterStream,
        redrives: Redrives,
        waiting: deque[Redriven],
    ) -> None:
        """Report what redrives made without a receipt, or receipts say of no place there is."""
        row = self.row
        for letter, made in rows.of_redrives.items():
            if not redrives.later(letter):
                what = f"no receipt tells of {len(made)} rows of a redrive of letter {letter}"
                row.add(Difference("wrong", what, row.partition), len(made))
        for letter, again in letters.of_redrives.items():
            if not redrives.later(letter):
                what = f"no receipt tells of {len(again)} dead letters of a redrive of {letter}"
                row.add(Difference("wrong", what, row.partition), len(again))
        for redriven in waiting:
            what = f"letter {redriven.letter} is said to be redriven past the ledger's next_offset"
            row.add(Difference("wrong", what, row.partition, redriven.at_offset))
        for offset in redrives.malformed:
            what = f"dead-letters/{row.partition}/{offset} is no receipt that can be read"
            row.add(Difference("wrong", what, row.partition))

    def _books_of_all(self) -> list[Sensor]:
        return [self._book(number) for number in range(len(self.sensors.ids))]

    def _report_strays(self, rows: RowStream, letters: LetterStream) -> None:
        row = self.row
        for stray in rows.strays:
            for run in runs_of(stray):
                boot = self._book(run.sensor).boots.get(run.boot)
                unseen = [(run.start, run.end)]
                if boot is not None:
                    unseen = list(boot.coverage.holes(run.start, run.end))
                count = run.end - run.start
                what = f"{count} rows come after rows of a later raw_offset"
                row.add(
                    Difference(
                        "wrong" if unseen else "doubled",
                        what,
                        row.partition,
                        run.offset,
                        self.sensors.ids[run.sensor],
                        run.boot,
                        run.start,
                    ),
                    count,
                )
        for letter in letters.strays:
            what = f"dead-letters/{row.partition}/{letter.own_offset} repeats bytes "
            what += f"{letter.start}-{letter.end}"
            row.add(Difference("doubled", what, row.partition, letter.offset))
