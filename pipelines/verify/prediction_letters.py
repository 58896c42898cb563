"""The dead letters of ml_inference that belong to one read of its input."""

from collections.abc import Callable
from typing import NamedTuple

import pyarrow as pa

from pipelines.transformed import SCHEMA
from pipelines.verify.letters import Letter
from pipelines.verify.raw_frames import Sensors
from pipelines.verify.result import Kind
from pipelines.verify.sample_runs import Broken, Run

NOT_SAMPLES = "not_samples"
NO_NUMBER = "not_a_number"

Say = Callable[[Kind, str, Letter], None]


class _Rows(NamedTuple):
    letter: Letter
    left: set[tuple[int, int]]
    """Boot and number of the samples that no row has claimed yet."""


class ReadLetters:
    """Letters that each must be claimed, whole and once."""

    def __init__(self, letters: list[Letter], sensors: Sensors, say: Say) -> None:
        """``say`` is told of letters that cannot be right."""
        self._say = say
        self.claimed = 0
        self._records: dict[int, Letter] = {}
        self._rows: dict[tuple[int, int], _Rows] = {}
        for letter in letters:
            if letter.reason == NOT_SAMPLES:
                if letter.offset in self._records:
                    say("doubled", "is there twice", letter)
                self._records.setdefault(letter.offset, letter)
            elif letter.reason == NO_NUMBER and letter.key is not None:
                self._take_rows(letter, letter.key, sensors)
            else:
                say("wrong", f"has the reason {letter.reason!r} or no key", letter)

    def _take_rows(self, letter: Letter, key: bytes, sensors: Sensors) -> None:
        place = letter.offset, sensors.number(key)
        if place in self._rows:
            self._say("doubled", "is there twice", letter)
            return
        try:
            with pa.ipc.open_stream(letter.value) as stream:
                table = stream.read_all()
            if not table.schema.equals(SCHEMA):
                raise pa.ArrowInvalid("another schema")
        except (pa.ArrowException, OSError):
            self._say("wrong", "is no Arrow stream of samples", letter)
            return
        if set(table["sensor_id"].to_pylist()) != {key.decode(errors="replace")}:
            self._say("wrong", "holds samples of another sensor than its key", letter)
        numbers = zip(table["boot"].to_pylist(), table["sample_index"].to_pylist(), strict=True)
        self._rows[place] = _Rows(letter, set(numbers))

    def first_without(self, run: Run, skipped: int) -> int:
        """Return from which row on a run's rows are in a letter, which they are claimed of."""
        rows = self._rows.get((run.offset, run.sensor))
        if rows is None:
            return run.rows
        for row in range(skipped, run.rows):
            if (run.boot, run.first + row) in rows.left:
                rest = {(run.boot, run.first + i) for i in range(row, run.rows)}
                if not rest <= rows.left:
                    self._say(
                        "wrong", "does not hold the rest of its record's samples", rows.letter
                    )
                rows.left.difference_update(rest)
                return row
        return run.rows

    def claim(self, broken: Broken) -> bool:
        """Claim the letter of a record that holds no samples; False where there is none."""
        letter = self._records.pop(broken.offset, None)
        if letter is None:
            return False
        self.claimed += 1
        if letter.value != broken.value:
            self._say("wrong", "does not hold the record's bytes", letter)
        return True

    def end(self) -> None:
        """Report the letters that were not claimed."""
        for letter in self._records.values():
            self._say("wrong", "holds a record of samples", letter)
        for rows in self._rows.values():
            self.claimed += 1
            if rows.left:
                self._say("wrong", "holds samples that are not those without a number", rows.letter)
