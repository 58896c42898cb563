"""The rows of sensor-data-transformed, in the order of the raw records they came from."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from confluent_kafka import Message

from pipelines.errors import DataError
from pipelines.topics import ARROW_TYPE, CONTENT_TYPE
from pipelines.transformed import AXES, MAGNITUDES, SCHEMA
from pipelines.verify.raw_frames import Sensors
from pipelines.verify.redrives import redrive_of
from pipelines.verify.streams import record_headers

NUMBERS = ("boot", "sample_index", "timestamp_us", "temp_raw", "late", "raw_offset")
VALUES = (*AXES, *MAGNITUDES)


class Rows(NamedTuple):
    """Columns of ``n`` rows: ``numbers`` and ``values`` by name, ``sensor`` as its number."""

    sensor: npt.NDArray[np.int64]
    columns: dict[str, npt.NDArray[np.generic]]

    def __len__(self) -> int:
        return len(self.sensor)

    def take(self, rows: slice | npt.NDArray[np.bool_]) -> "Rows":
        """Return some of the rows."""
        return Rows(self.sensor[rows], {k: v[rows] for k, v in self.columns.items()})


def _join(parts: list[Rows]) -> Rows:
    if len(parts) == 1:
        return parts[0]
    names = (*NUMBERS, *VALUES)
    return Rows(
        np.concatenate([part.sensor for part in parts]),
        {name: np.concatenate([part.columns[name] for part in parts]) for name in names},
    )


class RowStream:
    """Gives the rows up to a raw offset; rows that come after their successors are ``strays``.

    ``of_redrives`` are the rows that a redrive made, by the offset of the letter redriven; they are
    for the caller to take out.
    """

    def __init__(self, batches: Iterator[list[Message]], sensors: Sensors) -> None:
        self._batches = batches
        self._sensors = sensors
        self._pending: list[Rows] = []
        self._highest = -1
        self.strays: list[Rows] = []
        self.of_redrives: dict[int, Rows] = {}

    def first_raw_offset(self) -> int | None:
        """Return the ``raw_offset`` of the first row there is."""
        while not self._pending:
            batch = next(self._batches, None)
            if batch is None:
                return None
            self._take(batch)
        return int(self._pending[0].columns["raw_offset"][0])

    def until(self, offset: int) -> Rows | None:
        """Return the next rows whose ``raw_offset`` is below ``offset``; None where there is none.

        Raises:
            DataError: a record is no Arrow stream of the schema.
        """
        while self._highest < offset:
            batch = next(self._batches, None)
            if batch is None:
                break
            self._take(batch)
        if not self._pending:
            return None
        rows = _join(self._pending)
        cut = int(np.searchsorted(rows.columns["raw_offset"], offset))
        self._pending = [rows.take(slice(cut, None))] if cut < len(rows) else []
        return rows.take(slice(0, cut)) if cut else None

    def drain(self) -> None:
        """Read the rest, of which only the strays are of interest."""
        for batch in self._batches:
            self._take(batch)
            self._pending = []

    def _take(self, messages: list[Message]) -> None:
        for message in messages:
            headers = record_headers(message)
            if headers.get(CONTENT_TYPE) != ARROW_TYPE.encode():
                continue
            rows = self._decode(message)
            if not len(rows):
                continue
            of = redrive_of(headers)
            if of is not None:
                known = self.of_redrives.get(of)
                self.of_redrives[of] = rows if known is None else _join([known, rows])
                continue
            offsets = rows.columns["raw_offset"].astype(np.int64)
            highest = np.maximum.accumulate(np.maximum(offsets, self._highest))
            in_order = offsets >= highest
            if not in_order.all():
                self.strays.append(rows.take(~in_order))
                rows = rows.take(in_order)
            self._highest = int(highest[-1])
            if len(rows):
                self._pending.append(rows)

    def _decode(self, message: Message) -> Rows:
        try:
            with pa.ipc.open_stream(message.value() or b"") as stream:
                table = stream.read_all()
            if not table.schema.equals(SCHEMA):
                raise pa.ArrowInvalid("another schema")
        except pa.ArrowInvalid as error:
            raise DataError(
                f"{message.topic()}/{message.partition()}/{message.offset()} is no Arrow stream "
                f"of transformed rows: {error}"
            ) from None
        sensor = np.empty(len(table), np.int64)
        at = 0
        for chunk in table.column("sensor_id").chunks:
            numbers = [self._sensors.number(name.encode()) for name in chunk.dictionary.to_pylist()]
            end = at + len(chunk)
            sensor[at:end] = np.array(numbers, np.int64)[chunk.indices.to_numpy()]
            at = end
        return Rows(sensor, {name: table.column(name).to_numpy() for name in (*NUMBERS, *VALUES)})


def calibration_faults(rows: Rows, raw: npt.NDArray[np.void]) -> npt.NDArray[np.bool_]:
    """Say which rows are not the calibration of their raw counts.

    Units of the contract: 0.488/1000 g, 0.140 deg/s as rad/s, 1/1711 gauss a count.
    """
    acc = raw["acc"] * (0.488 / 1000)
    gyro = np.deg2rad(raw["gyro"] * 0.140)
    mag = raw["mag"] / 1711
    right = dict(zip(AXES, np.concatenate([acc, gyro, mag], axis=1).T, strict=True))
    right["accl_mag"] = np.sqrt((acc**2).sum(axis=1))
    right["gyro_mag"] = np.sqrt((gyro**2).sum(axis=1))
    faults = rows.columns["temp_raw"] != raw["temp"]
    for name, expected in right.items():
        difference = np.abs(rows.columns[name].astype(np.float64) - expected)
        faults |= ~(difference <= 1e-6 * np.abs(expected) + 1e-9)
    return np.asarray(faults)
