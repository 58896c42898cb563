"""The rows of sensor-data-predictions in their order, to be compared with those expected."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from confluent_kafka import Message

from pipelines.errors import DataError
from pipelines.predictions import SCHEMA, ModelId, model_of
from pipelines.verify.raw_frames import Sensors


class Predicted(NamedTuple):
    """Columns of ``n`` predictions; ``era`` counts the changes of the model before each."""

    sensor: npt.NDArray[np.int64]
    boot: npt.NDArray[np.int64]
    number: npt.NDArray[np.int64]
    timestamp_us: npt.NDArray[np.int64]
    velocity: npt.NDArray[np.float64]
    moving: npt.NDArray[np.float64]
    era: npt.NDArray[np.int64]

    @property
    def size(self) -> int:
        """How many rows there are."""
        return len(self.sensor)

    def part(self, start: int, end: int | None) -> "Predicted":
        """Return some of the rows."""
        return Predicted._make(column[start:end] for column in self)


_INTS, _REALS = np.empty(0, np.int64), np.empty(0, np.float64)
NOTHING = Predicted(_INTS, _INTS, _INTS, _INTS, _REALS, _REALS, _INTS)


class PredictionStream:
    """Gives predictions in order; ``models`` are those that made them, by era."""

    def __init__(self, batches: Iterator[list[Message]], sensors: Sensors) -> None:
        self._batches = batches
        self._sensors = sensors
        self._pending: list[Predicted] = []
        self._ended = False
        self.models: list[ModelId] = []
        self.ticks: list[bytes] = []

    def take(self, count: int) -> Predicted:
        """Return the next ``count`` rows, fewer where the topic ends.

        Raises:
            DataError: a record is neither a tick nor an Arrow stream of the schema.
        """
        while not self._ended and sum(rows.size for rows in self._pending) < count:
            self._read()
        whole = _joined(self._pending)
        self._pending = [whole.part(count, None)]
        return whole.part(0, count)

    def give_back(self, rows: Predicted) -> None:
        """Put rows that were taken before the next ones."""
        self._pending.insert(0, rows)

    def read_tick(self) -> bytes | None:
        """Return the next tick, None where the topic ends."""
        while not self.ticks and not self._ended:
            self._read()
        return self.ticks.pop(0) if self.ticks else None

    def _read(self) -> None:
        batch = next(self._batches, None)
        if batch is None:
            self._ended = True
            return
        for message in batch:
            value = message.value() or b""
            if value[:1] == b"{":
                self.ticks.append(value)
            else:
                self._pending.append(self._rows(message, value))

    def _rows(self, message: Message, value: bytes) -> Predicted:
        try:
            with pa.ipc.open_stream(value) as stream:
                table = stream.read_all()
            if not table.schema.equals(SCHEMA):
                raise pa.ArrowInvalid("another schema")
            model = model_of(table.schema.metadata)
        except (pa.ArrowInvalid, OSError, KeyError) as error:
            raise DataError(
                f"{message.topic()}/{message.partition()}/{message.offset()} is no Arrow stream "
                f"of predictions: {error}"
            ) from None
        if not self.models or self.models[-1] != model:
            self.models.append(model)
        sensor = [np.empty(0, np.int64)]
        for chunk in table["sensor_id"].chunks:
            numbers = [self._sensors.number(n.encode()) for n in chunk.dictionary.to_pylist()]
            sensor.append(np.array(numbers, np.int64)[chunk.indices.to_numpy()])
        whole = (table[n].to_numpy().astype(np.int64) for n in SCHEMA.names[1:4])
        real = (table[n].to_numpy().astype(np.float64) for n in SCHEMA.names[4:])
        era = np.full(len(table), len(self.models) - 1, np.int64)
        return Predicted._make([np.concatenate(sensor), *whole, *real, era])


def _joined(parts: list[Predicted]) -> Predicted:
    if len(parts) == 1:
        return parts[0]
    return Predicted._make(np.concatenate(column) for column in zip(NOTHING, *parts, strict=True))
