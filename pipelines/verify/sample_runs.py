"""sensor-data-transformed as runs: neighbouring rows whose sample numbers follow each other."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
from confluent_kafka import Message

from pipelines.transformed import SCHEMA
from pipelines.verify.raw_frames import Sensors


class Run(NamedTuple):
    """``rows`` rows of one record, from ``row`` of the read on, all in one window of time."""

    offset: int
    sensor: int
    boot: int
    first: int
    rows: int
    start_us: int
    row: int


class Tick(NamedTuple):
    """A tick."""

    offset: int
    value: bytes


class Broken(NamedTuple):
    """A record that holds neither samples nor a tick."""

    offset: int
    value: bytes


class SampleRead(NamedTuple):
    """What one read of the topic holds.

    items:        runs, ticks and broken records in order
    sensor ...:   ``(rows,)`` of all samples
    tables:       by offset, the samples of a record and its first row
    """

    items: list[Run | Tick | Broken]
    sensor: npt.NDArray[np.int64]
    boot: npt.NDArray[np.int64]
    number: npt.NDArray[np.int64]
    timestamp_us: npt.NDArray[np.int64]
    tables: dict[int, tuple[pa.Table, int]]

    def features(
        self, run: Run, names: tuple[str, ...], start: int, end: int
    ) -> npt.NDArray[np.float32]:
        """Return rows [start, end) of a run as ``(rows, F) float32``."""
        table, first = self.tables[run.offset]
        at = run.row - first
        columns = [table[name].to_numpy()[at + start : at + end] for name in names]
        return np.stack(columns, axis=1).astype(np.float32)


def read_runs(messages: list[Message], sensors: Sensors, window_us: int) -> SampleRead:
    """Take the records of one read apart."""
    columns: list[list[npt.NDArray[np.int64]]] = [[], [], [], []]
    tables: dict[int, tuple[pa.Table, int]] = {}
    plain: list[tuple[int, Tick | Broken | int]] = []
    rows = 0
    for message in messages:
        offset, value = message.offset() or 0, message.value() or b""
        table = None if value[:1] == b"{" else _table(value)
        if table is None:
            plain.append((rows, (Tick if _is_tick(value) else Broken)(offset, value)))
            continue
        plain.append((rows, offset))
        tables[offset] = table, rows
        for column, values in zip(columns, _numbers(table, sensors), strict=True):
            column.append(values)
        rows += len(table)
    sensor, boot, index, timestamp_us = (
        np.concatenate([np.empty(0, np.int64), *column]) for column in columns
    )
    items: list[Run | Tick | Broken] = []
    for first, what in plain:
        if isinstance(what, int):
            end = first + len(tables[what][0])
            inside = slice(first, end)
            items += _runs(
                what,
                first,
                sensor[inside],
                boot[inside],
                index[inside],
                timestamp_us[inside] // window_us * window_us,
            )
        else:
            items.append(what)
    return SampleRead(items, sensor, boot, index, timestamp_us, tables)


def _is_tick(value: bytes) -> bool:
    try:
        fields = orjson.loads(value)
        return all(type(fields[name]) is int for name in ("tick", "published_us"))
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return False


def _table(value: bytes) -> pa.Table | None:
    """Return a record's samples; None where it holds none."""
    try:
        with pa.ipc.open_stream(value) as stream:
            table = stream.read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError):
        return None
    if not table.schema.equals(SCHEMA) or any(column.null_count for column in table.columns):
        return None
    for name in ("boot", "sample_index"):
        if len(table) and table[name].to_numpy().min() < 0:
            return None
    ids = [chunk.dictionary.to_pylist() for chunk in table["sensor_id"].chunks]
    if any(not name or len(name) > 64 for names in ids for name in names):
        return None
    return table


def _numbers(table: pa.Table, sensors: Sensors) -> Iterator[npt.NDArray[np.int64]]:
    found = [np.empty(0, np.int64)]
    for chunk in table["sensor_id"].chunks:
        numbers = [sensors.number(name.encode()) for name in chunk.dictionary.to_pylist()]
        found.append(np.array(numbers, np.int64)[chunk.indices.to_numpy()])
    yield np.concatenate(found)
    for name in ("boot", "sample_index", "timestamp_us"):
        yield table[name].to_numpy().astype(np.int64)


def _runs(
    offset: int,
    row: int,
    sensor: npt.NDArray[np.int64],
    boot: npt.NDArray[np.int64],
    number: npt.NDArray[np.int64],
    start_us: npt.NDArray[np.int64],
) -> list[Run]:
    if not len(sensor):
        return []
    breaks = number[1:] != number[:-1] + 1
    for column in (sensor, boot, start_us):
        breaks |= column[1:] != column[:-1]
    first = np.append(0, np.flatnonzero(breaks) + 1)
    counts = np.diff(np.append(first, len(sensor)))
    columns = (sensor[first], boot[first], number[first], counts, start_us[first], first + row)
    found = zip(*(column.tolist() for column in columns), strict=True)
    return [Run(offset, *values) for values in found]
