"""A recording from a CSV file of any logger: columns and units named, or found where clear."""

import csv
from array import array
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from pipelines.errors import DataError
from simulator.periodic import Floats
from simulator.readings import TEMPERATURE_COUNTS
from simulator.recording import NO_FIELD_GAUSS, Recording
from simulator.replay_columns import VECTORS, Column, columns_of
from simulator.replay_units import in_g, in_gauss, in_rad_s, seconds

MAX_ROWS: Final = 5_000_000
"""A file of more rows is refused, as it is held in memory: these are 7 hours at 200 Hz."""
_DELIMITERS: Final = ",;\t"


class CsvForm(NamedTuple):
    """What the user says of the file; None and absent: find out.

    columns: quantity (time, acc_x, ... temperature) to the title of its column
    """

    columns: Mapping[str, str] = {}
    time_unit: str | None = None
    acc_unit: str | None = None
    gyro_unit: str | None = None
    mag_unit: str | None = None


def csv_recording(path: Path, form: CsvForm) -> Recording:
    """Read one recording.

    The first line names the columns; they are separated by comma, semicolon or tab. Times are
    numbers or ISO 8601 (UTC where it names no zone); rows of the same time are averaged. Without
    a magnetometer the field is zero, without a temperature (counts of the frame format) it is the
    simulator's.

    Raises:
        DataError: the file cannot be read or a value is not what it should be; the message
            names file, line and column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _read(file, path, form)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as CSV: {error}") from None


def _read(file: Iterator[str], path: Path, form: CsvForm) -> Recording:
    header = next(file, "")
    delimiter = max(_DELIMITERS, key=header.count)
    titles = [title.strip() for title in next(csv.reader([header], delimiter=delimiter), [])]
    columns = columns_of(titles, form.columns, f"{path}, line 1")
    parse = _Parser(path, columns, len(titles))
    reader = csv.reader(file, delimiter=delimiter)
    numbers = array("d")
    for cells in reader:
        if any(cell.strip() for cell in cells):
            numbers.extend(parse.row(reader.line_num + 1, cells))
    rows = np.array(numbers).reshape(-1, len(columns))
    if len(rows) < 2:
        raise DataError(f"{path} has {len(rows)} rows of readings; a replay needs at least 2")
    values = dict(zip(columns, rows.T, strict=True))
    if parse.iso:
        form = form._replace(time_unit="us")
    return _recording(path, columns, form, values)


class _Parser:
    """Turns cells into numbers: times in ISO 8601 become microseconds."""

    def __init__(self, path: Path, columns: dict[str, Column], width: int) -> None:
        self._path, self._columns, self._width = path, columns, width
        self._before = -np.inf
        self._rows = 0
        self.iso = False

    def row(self, line: int, cells: list[str]) -> list[float]:
        """Return the numbers of one line in the order of the columns.

        Raises:
            DataError: a cell is no number, or time goes back.
        """
        self._rows += 1
        if self._rows > MAX_ROWS:
            raise DataError(f"{self._path} has more than {MAX_ROWS:,} rows; split it")
        if len(cells) != self._width:
            raise DataError(
                f"{self._path}, line {line}: {len(cells)} columns, the header has {self._width}; "
                "mend or remove the line"
            )
        values = []
        for quantity, column in self._columns.items():
            cell = cells[column.place].strip()
            value = self._time(cell) if quantity == "time" else _number(cell)
            if not np.isfinite(value):
                raise self._unreadable(cell, line, column, quantity)
            if quantity == "time":
                self._advance(value, cell, line, column)
            values.append(value)
        return values

    def _advance(self, value: float, cell: str, line: int, column: Column) -> None:
        if value < self._before:
            raise DataError(
                f"{self._path}, line {line}, column {column.title!r}: the time {cell} is before "
                "that of the line above; sort the file by time, or split it where the clock was set"
            )
        self._before = value

    def _time(self, cell: str) -> float:
        """Return a time as it stands, or microseconds where the first one is in ISO 8601."""
        if self._rows == 1:
            self.iso = not np.isfinite(_number(cell))
        return _iso_us(cell) if self.iso else _number(cell)

    def _unreadable(self, cell: str, line: int, column: Column, quantity: str) -> DataError:
        kind = "a number"
        if quantity == "time":
            kind = "an ISO 8601 time" if self.iso else "a number as the times above it"
            kind = "a number or an ISO 8601 time" if self._rows == 1 else kind
        return DataError(
            f"{self._path}, line {line}, column {column.title!r}: {cell!r} is not {kind}; "
            "correct it, or remove the line, which leaves a gap"
        )


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def _iso_us(cell: str) -> float:
    try:
        time = datetime.fromisoformat(cell)
    except ValueError:
        return float("nan")
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1e6


def _recording(
    path: Path, columns: dict[str, Column], form: CsvForm, values: dict[str, Floats]
) -> Recording:
    where = str(path)
    vectors = {
        vector: np.stack([values[f"{vector}_{axis}"] for axis in "xyz"], axis=1)
        for vector in VECTORS
        if f"{vector}_x" in columns
    }
    named = {vector: columns[f"{vector}_x"].unit for vector in vectors}
    count = len(values["time"])
    acc = in_g(vectors["acc"], form.acc_unit or named["acc"], where)
    gyro = in_rad_s(vectors["gyro"], form.gyro_unit or named["gyro"], where)
    field = np.tile(NO_FIELD_GAUSS, (count, 1))
    if "mag" in vectors:
        field = in_gauss(vectors["mag"], form.mag_unit or named["mag"], where)
    temperature = values.get("temperature", np.full(count, float(TEMPERATURE_COUNTS)))
    time_s = seconds(values["time"], form.time_unit or columns["time"].unit, where)
    moments, place = np.unique(time_s, return_inverse=True)
    if len(moments) < 2:
        raise DataError(f"{path}: all rows have the same time; a recording must last")
    rows = np.column_stack([acc, gyro, field, temperature])
    sums = np.zeros((len(moments), rows.shape[1]))
    np.add.at(sums, place, rows)
    means = sums / np.bincount(place)[:, None]
    return Recording(path.name, moments, means[:, :9], means[:, 9])
