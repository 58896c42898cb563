"""The state of one partition's sensors: rows that grow, are saved for the changelog and restored.

A sensor is saved under ``s/{sensor_id}`` as the layout's version, its row, its two boots' rows,
and of each boot the intervals, closed regions and open windows that are in use.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa

from pipelines.errors import DataError
from pipelines.operators.advance import reset_sensor
from pipelines.operators.layout import (
    BOOT,
    COUNTS,
    INTERVALS_PER_BOOT,
    LAYOUT_VERSION,
    NONE,
    REGIONS_PER_BOOT,
    SENSOR,
    WINDOW,
    Tables,
)

KEY_PREFIX: Final = b"s/"
_FIRST_SENSORS: Final = 64
_FIRST_WINDOWS: Final = 256
_VERSION: Final = LAYOUT_VERSION.to_bytes(2, "little")
_PAIR_BYTES: Final = 16


class PartitionState:
    """The tables of one partition, and which row is which sensor's."""

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.rows: dict[bytes, int] = {}
        self.ids: list[bytes] = []
        self._id_array: pa.Array | None = None
        self._unused_rows: list[int] = []
        self.tables = Tables(
            sensors=np.zeros(0, SENSOR),
            boots=np.zeros(0, BOOT),
            intervals=np.zeros((0, INTERVALS_PER_BOOT, 2), np.int64),
            regions=np.zeros((0, REGIONS_PER_BOOT, 2), np.int64),
            windows=np.zeros(0, WINDOW),
            unused=np.array([NONE, 0], np.int64),
            counts=np.zeros(len(COUNTS), np.int64),
        )
        self._grow_sensors(_FIRST_SENSORS)
        self.make_room(_FIRST_WINDOWS)

    def row(self, sensor_id: bytes) -> int:
        """Return the row of a sensor, giving it one if it is new."""
        row = self.rows.get(sensor_id)
        if row is None:
            if not self._unused_rows:
                self._grow_sensors(2 * len(self.tables.sensors))
            row = self._unused_rows.pop()
            self.rows[sensor_id] = row
            self.ids[row] = sensor_id
            self._id_array = None
        return row

    def id_array(self) -> pa.Array:
        """Return the sensor ids by row, as an array of strings."""
        if self._id_array is None:
            self._id_array = pa.array([sensor_id.decode() for sensor_id in self.ids], pa.string())
        return self._id_array

    def make_room(self, windows: int) -> None:
        """Make sure that ``windows`` more can be opened."""
        old = len(self.tables.windows)
        in_use = self.open_windows()
        if old - in_use >= windows:
            return
        grown = np.zeros(max(2 * old, in_use + windows), WINDOW)
        grown[:old] = self.tables.windows
        grown["next"][old:-1] = np.arange(old + 1, len(grown))
        grown["next"][-1] = self.tables.unused[0]
        self.tables.unused[0] = old
        self.tables.unused[1] += len(grown) - old
        self.tables = self.tables._replace(windows=grown)

    def open_windows(self) -> int:
        """Return how many windows are open, those of silent and restarted boots included."""
        return len(self.tables.windows) - int(self.tables.unused[1])

    def take_changes(self) -> list[tuple[bytes, bytes | None]]:
        """Return the rows changed since the last call, and free those of forgotten sensors."""
        changes: list[tuple[bytes, bytes | None]] = []
        sensors = self.tables.sensors
        for row in np.flatnonzero(sensors["changed"]).tolist():
            sensor_id = self.ids[row]
            sensors["changed"][row] = 0
            if sensors["forgotten"][row]:
                changes.append((KEY_PREFIX + sensor_id, None))
                del self.rows[sensor_id]
                sensors["forgotten"][row] = 0
                self._unused_rows.append(row)
            else:
                changes.append((KEY_PREFIX + sensor_id, self._save(row)))
        return changes

    def _grow_sensors(self, size: int) -> None:
        old = len(self.tables.sensors)

        def grown(table: Any, rows: int) -> Any:
            bigger = np.zeros((rows, *table.shape[1:]), table.dtype)
            bigger[: len(table)] = table
            return bigger

        self.tables = self.tables._replace(
            sensors=grown(self.tables.sensors, size),
            boots=grown(self.tables.boots, 2 * size),
            intervals=grown(self.tables.intervals, 2 * size),
            regions=grown(self.tables.regions, 2 * size),
        )
        for row in range(old, size):
            reset_sensor(self.tables, row)
        self.ids.extend([b""] * (size - old))
        self._unused_rows.extend(range(size - 1, old - 1, -1))

    def _save(self, row: int) -> bytes:
        tables = self.tables
        parts = [_VERSION, tables.sensors[row].tobytes()]
        for boot_row in (2 * row, 2 * row + 1):
            boot = tables.boots[boot_row]
            windows = self._open_windows(int(boot["window"]))
            parts += [
                boot.tobytes(),
                tables.intervals[boot_row, : boot["intervals"]].tobytes(),
                tables.regions[boot_row, : boot["regions"]].tobytes(),
                len(windows).to_bytes(2, "little"),
                *(tables.windows[at].tobytes() for at in windows),
            ]
        return b"".join(parts)

    def _open_windows(self, first: int) -> list[int]:
        chain = []
        while first != NONE:
            chain.append(first)
            first = int(self.tables.windows["next"][first])
        return chain

    def load(self, key: bytes, value: bytes) -> None:
        """Restore one saved sensor.

        Raises:
            DataError: the value was not saved by this layout.
        """
        saved = _Reader(value)
        row = self.row(key.removeprefix(KEY_PREFIX))
        self.tables.sensors[row] = saved.rows(SENSOR, 1)[0]
        for boot_row in (2 * row, 2 * row + 1):
            boot = saved.rows(BOOT, 1)[0]
            self.tables.boots[boot_row] = boot
            self.tables.boots["window"][boot_row] = NONE
            count = int(boot["intervals"])
            self.tables.intervals[boot_row, :count] = saved.pairs(count)
            count = int(boot["regions"])
            self.tables.regions[boot_row, :count] = saved.pairs(count)
            windows = saved.rows(WINDOW, saved.count())
            self.make_room(len(windows))
            for window in windows[::-1]:
                self._put_window(boot_row, window)

    def _put_window(self, boot_row: int, window: Any) -> None:
        tables = self.tables
        at = int(tables.unused[0])
        tables.unused[0] = tables.windows["next"][at]
        tables.unused[1] -= 1
        tables.windows[at] = window
        tables.windows["next"][at] = tables.boots["window"][boot_row]
        tables.boots["window"][boot_row] = at


class _Reader:
    """Reads what `_save` wrote, from the front."""

    def __init__(self, value: bytes) -> None:
        if value[:2] != _VERSION:
            found = int.from_bytes(value[:2], "little")
            raise DataError(
                f"a sensor's state in the changelog has layout {found}, this code has "
                f"{LAYOUT_VERSION}; run the code that wrote it, or rebuild the state from the input"
            )
        self._value = value
        self._at = 2

    def rows(self, dtype: np.dtype[Any], count: int) -> Any:
        found = np.frombuffer(self._value, dtype, count, self._at)
        self._at += dtype.itemsize * count
        return found

    def pairs(self, count: int) -> Any:
        return self.rows(np.dtype(np.int64), 2 * count).reshape(count, 2)

    def count(self) -> int:
        self._at += 2
        return int.from_bytes(self._value[self._at - 2 : self._at], "little")


def restore(
    partition: int, records: Iterable[tuple[bytes, bytes]], counts: Mapping[str, int]
) -> PartitionState:
    """Return the state whose rows were saved as ``records`` when the counts were ``counts``."""
    state = PartitionState(partition)
    for key, value in records:
        state.load(key, value)
    for i, name in enumerate(COUNTS):
        state.tables.counts[i] = counts.get(name, 0)
    return state


def summarize(key: bytes, value: bytes) -> dict[str, Any]:
    """Return what the api says of a sensor, from its record in the changelog.

    Counts are since the state began; ``clock_offset_us`` is the device's clock less the bridge's
    at the last frame, the way there included.

    Raises:
        DataError: the value was not saved by this layout.
    """
    sensor = _Reader(value).rows(SENSOR, 1)[0]
    return {
        "sensor_id": key.removeprefix(KEY_PREFIX).decode(),
        "state": "silent" if sensor["silent"] else "live",
        "boot": int(sensor["boot"]),
        "samples": int(sensor["samples"]),
        "gaps": int(sensor["gaps"]),
        "gaps_filled": int(sensor["gaps_filled"]),
        "duplicates": int(sensor["duplicates"]),
        "late": int(sensor["late"]),
        "dead_letters": int(sensor["dead_letters"]),
        "clock_steps": int(sensor["clock_steps"]),
        "rate_hz": round(float(sensor["rate_hz"]), 1),
        "last_timestamp_us": int(sensor["latest_us"]),
        "last_received_us": int(sensor["received_us"]),
        "clock_offset_us": int(sensor["latest_us"] - sensor["received_us"]),
    }
