"""The state of one partition of ml_inference: its model, its sensors, the model's state of each.

In the changelog the key ``model`` names the model that made the state, and its H; a sensor is saved
under ``s/{sensor_id}`` as the layout's version, its row, its hidden and its cell state in float32.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
import orjson

from pipelines.errors import DataError
from pipelines.models.sequence_inference import Float32
from pipelines.operators.inference_layout import (
    COUNTS,
    LAYOUT_VERSION,
    NONE,
    SENSOR,
)
from pipelines.predictions import ModelId

MODEL_KEY: Final = b"model"
KEY_PREFIX: Final = b"s/"
_FIRST_SENSORS: Final = 64
_VERSION: Final = LAYOUT_VERSION.to_bytes(2, "little")


class InferenceState:
    """The tables of one partition, and which row is which sensor's.

    models:  the model that made the state is the last; those before it made samples of windows
             that may still be open, whose field ``model`` counts this list
    hidden:  ``(s, H) float32``, the LSTM's state of each sensor
    cell:    ``(s, H) float32``
    """

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.models: list[ModelId] = []
        self.rows: dict[str, int] = {}
        self.ids: list[str] = []
        self.sensors = np.zeros(0, SENSOR)
        self.hidden: Float32 = np.zeros((0, 0), np.float32)
        self.cell: Float32 = np.zeros((0, 0), np.float32)
        self.counts = np.zeros(len(COUNTS), np.int64)
        self.switched = False
        """Whether the model is another than the last snapshot names."""
        self._unused_rows: list[int] = []
        self._grow(_FIRST_SENSORS)

    @property
    def model(self) -> ModelId | None:
        """The model that made the state; None before the first."""
        return self.models[-1] if self.models else None

    def switch(self, model: ModelId, hidden_units: int) -> None:
        """Go on with another model: every sensor's state begins at zero with its next sample."""
        used = sorted(set(self.sensors["model"][self.sensors["samples"] > 0].tolist()))
        renumbered = np.zeros(len(self.models) + 1, np.int64)
        renumbered[used] = np.arange(len(used))
        self.sensors["model"] = renumbered[self.sensors["model"]]
        self.models = [*(self.models[number] for number in used), model]
        self.hidden = np.zeros((len(self.sensors), hidden_units), np.float32)
        self.cell = np.zeros_like(self.hidden)
        self.sensors["at_zero"] = 1
        self.sensors["changed"][list(self.rows.values())] = 1
        self.switched = True

    def row(self, sensor_id: str) -> int:
        """Return the row of a sensor, giving it one if it is new."""
        row = self.rows.get(sensor_id)
        if row is None:
            if not self._unused_rows:
                self._grow(2 * len(self.sensors))
            row = self._unused_rows.pop()
            self.rows[sensor_id] = row
            self.ids[row] = sensor_id
        return row

    def count(self, name: str, more: int) -> None:
        """Add to one of the ledger's counts."""
        self.counts[COUNTS.index(name)] += more

    def take_changes(self) -> list[tuple[bytes, bytes | None]]:
        """Return the records changed since the last call, and free rows of forgotten sensors."""
        changes: list[tuple[bytes, bytes | None]] = []
        if self.models:
            changes.append((MODEL_KEY, self._save_models()))
        for row in np.flatnonzero(self.sensors["changed"]).tolist():
            sensor_id = self.ids[row]
            key = KEY_PREFIX + sensor_id.encode()
            self.sensors["changed"][row] = 0
            if self.sensors["forgotten"][row]:
                changes.append((key, None))
                del self.rows[sensor_id]
                self.sensors[row] = _unused()
                self._unused_rows.append(row)
            else:
                changes.append((key, self._save(row)))
        self.switched = False
        return changes

    def _grow(self, size: int) -> None:
        old = len(self.sensors)
        sensors = np.full(size, _unused())
        sensors[:old] = self.sensors
        self.sensors = sensors
        more = ((0, size - old), (0, 0))
        self.hidden, self.cell = np.pad(self.hidden, more), np.pad(self.cell, more)
        self.ids.extend([""] * (size - old))
        self._unused_rows.extend(range(size - 1, old - 1, -1))

    def _save_models(self) -> bytes:
        *earlier, model = [found._asdict() for found in self.models]
        units = self.hidden.shape[1]
        return orjson.dumps({**model, "hidden_units": units, "earlier": earlier})

    def _save(self, row: int) -> bytes:
        parts = (_VERSION, self.sensors[row].tobytes())
        return b"".join((*parts, self.hidden[row].tobytes(), self.cell[row].tobytes()))

    def _load_models(self, value: bytes) -> None:
        found = orjson.loads(value)
        earlier = found.pop("earlier")
        self.hidden = np.zeros((len(self.sensors), found.pop("hidden_units")), np.float32)
        self.cell = np.zeros_like(self.hidden)
        self.models = [ModelId(**model) for model in (*earlier, found)]

    def _load(self, sensor_id: str, value: bytes) -> None:
        row = self.row(sensor_id)
        if value[:2] != _VERSION:
            version = int.from_bytes(value[:2], "little")
            raise DataError(
                f"the state of sensor {sensor_id} in the changelog has layout {version}, this code "
                f"has {LAYOUT_VERSION}; run the code that wrote it, or delete the changelog to "
                f"begin anew"
            )
        self.sensors[row] = np.frombuffer(value, SENSOR, 1, 2)[0]
        states = np.frombuffer(value, np.float32, -1, 2 + SENSOR.itemsize).reshape(2, -1)
        self.hidden[row], self.cell[row] = states

    @classmethod
    def restored(
        cls, partition: int, records: Iterable[tuple[bytes, bytes]], counts: Mapping[str, int]
    ) -> "InferenceState":
        """Return the state that was saved as ``records`` when the counts were ``counts``.

        Raises:
            DataError: it was saved by another layout.
        """
        state = cls(partition)
        saved = dict(records)
        models = saved.pop(MODEL_KEY, None)
        if models is not None:
            state._load_models(models)
        for key, value in saved.items():
            state._load(key.removeprefix(KEY_PREFIX).decode(), value)
        state.counts[:] = [counts.get(name, 0) for name in COUNTS]
        return state


def _unused() -> Any:
    """Return the row of a sensor before its first sample."""
    row = np.zeros((), SENSOR)
    for name in ("boot", "last_index", "seen_tick", "last_tick"):
        row[name] = NONE
    row["at_zero"] = 1
    return row
