"""Compare the dead letters with the bytes that the plain scanner finds to be no good frame."""

from collections import defaultdict

from pipelines.verify.boots import Rules, Sensor
from pipelines.verify.letters import Letter
from pipelines.verify.raw_frames import DeadPiece, Frame, RawRecord
from pipelines.verify.result import Difference, Kind, PartitionRow

IMPLAUSIBLE = "implausible_timestamp"
TOO_OLD = "too_old"


class LetterCheck:
    """The dead letters of one read of imu-data-all; each must be claimed exactly once."""

    def __init__(self, row: PartitionRow, rules: Rules, ids: list[str]) -> None:
        self._row = row
        self._rules = rules
        self._ids = ids
        self._letters: dict[tuple[int, int, int], list[Letter]] = {}

    def begin(self, letters: list[Letter]) -> None:
        """Take the letters of the next read."""
        found: dict[tuple[int, int, int], list[Letter]] = defaultdict(list)
        for letter in letters:
            found[letter.offset, letter.start, letter.end].append(letter)
        self._letters = dict(found)

    def dead_piece(self, piece: DeadPiece, record: RawRecord) -> None:
        """See that the bytes which are no frame have one dead letter with their reason."""
        self._row.frames += 1
        self._row.dead_letters += 1
        self._claim(piece.start, piece.end, piece.reason, record)

    def refused(
        self, frame: Frame, record: RawRecord, sensor: Sensor, *, redriven: bool = False
    ) -> bool:
        """Say whether a good frame is, or must be, in the dead letters.

        One of a redrive may be there too because no boot still known is its own.
        """
        letters = self._letters.get((record.offset, frame.start, frame.end))
        allowed_us = self._rules.max_future_us
        if letters and letters[0].reason == IMPLAUSIBLE and letters[0].allowed_us is not None:
            # The setting may have been another one then; the letter must hold to what it says.
            allowed_us = letters[0].allowed_us
        implausible = frame.timestamp_us > record.received_us + allowed_us
        if letters is None and not implausible:
            return False
        reason = IMPLAUSIBLE if implausible else TOO_OLD
        self._claim(frame.start, frame.end, reason, record)
        self._row.dead_letters += 1
        boots = sensor.boots.values()
        known = implausible or self._row.first_offset
        if redriven and not self._fits(frame, sensor):
            return True
        if not known and all(frame.base >= boot.coverage.highest() for boot in boots):
            self._add("wrong", "a frame was refused as too old that is not", record, frame.base)
        return True

    def _fits(self, frame: Frame, sensor: Sensor) -> bool:
        """Whether a frame clearly lies on the line of the sensor's boot or of the one before."""
        boots = [sensor.boots.get(number) for number in (sensor.latest, sensor.latest - 1)]
        offs_us = [
            abs(boot.off_line_us(frame.base, frame.timestamp_us, self._rules.period_us))
            for boot in boots
            if boot is not None
        ]
        return any(off_us <= self._rules.lateness_us / 2 for off_us in offs_us)

    def end(self) -> None:
        """Report the letters of bytes that did not fail."""
        for letters in self._letters.values():
            for letter in letters:
                what = f"dead-letters/{self._row.partition}/{letter.own_offset} holds bytes "
                what += f"{letter.start}-{letter.end}, which did not fail so"
                self._row.add(Difference("wrong", what, self._row.partition, letter.offset))
        self._letters = {}

    def _claim(self, start: int, end: int, reason: str, record: RawRecord) -> None:
        letters = self._letters.pop((record.offset, start, end), [])
        if not letters:
            self._add("lost", f"no dead letter of bytes {start}-{end} ({reason})", record, None)
            return
        for again in letters[1:]:
            what = f"a second dead letter of bytes {start}-{end}, "
            what += f"dead-letters/{self._row.partition}/{again.own_offset}"
            self._add("doubled", what, record, None)
        letter = letters[0]
        if letter.reason != reason:
            what = f"the dead letter of bytes {start}-{end} says {letter.reason}, not {reason}"
            self._add("wrong", what, record, None)
        if letter.failed_us != record.received_us:
            what = f"the dead letter of bytes {start}-{end} says another time of reception"
            self._add("wrong", what, record, None)
        if letter.value != record.payload[start:end]:
            self._add("wrong", f"the dead letter of bytes {start}-{end} holds others", record, None)
        if (
            letter.key is None
            or letter.key.decode(errors="backslashreplace") != (self._ids[record.sensor])
        ):
            self._add(
                "wrong", f"the dead letter of bytes {start}-{end} has another key", record, None
            )

    def _add(self, kind: Kind, what: str, record: RawRecord, sample: int | None) -> None:
        self._row.add(
            Difference(
                kind,
                what,
                self._row.partition,
                record.offset,
                self._ids[record.sensor],
                None,
                sample,
            )
        )
