"""Records of sensor-data-transformed made by hand, and random streams of them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from pipelines.records import InputBatch
from pipelines.transformed import SCHEMA
from tests.unit.frame_building import PERIOD_US, START_US, TICK

SENSORS = ("sensor1", "αισθητήρας", "third")


class Row(NamedTuple):
    """One sample; what is measured follows from sensor and number, but for acc_x where given."""

    sensor_id: str
    boot: int
    index: int
    timestamp_us: int
    acc_x: float | None = None


def rows_on_time(
    start: int, end: int, sensor_id: str = "sensor1", boot: int = 0, acc_x: float | None = None
) -> list[Row]:
    """Return samples [start, end) of a device that began at `START_US`."""
    return [
        Row(sensor_id, boot, index, START_US + index * PERIOD_US, acc_x)
        for index in range(start, end)
    ]


def stream(rows: Sequence[Row]) -> bytes:
    """Return rows as an Arrow stream, as sensor_processing writes it."""
    count = len(rows)
    seeds = np.array([row.index * 7 + row.boot + 31 * len(row.sensor_id) for row in rows], np.int64)
    columns: dict[str, object] = {}
    for place, field in enumerate(SCHEMA):
        wave = np.sin(seeds * (place + 1) * 0.01)
        columns[field.name] = pa.array(
            wave * 100 if field.type == pa.int16() else wave, pa.float64()
        ).cast(pa.float32())
        if field.type == pa.int16():
            columns[field.name] = pa.array((wave * 100).astype(np.int16))
    columns["sensor_id"] = pa.array([row.sensor_id for row in rows]).dictionary_encode()
    columns["boot"] = pa.array([row.boot for row in rows], pa.int32())
    columns["sample_index"] = pa.array([row.index for row in rows], pa.int64())
    columns["timestamp_us"] = pa.array([row.timestamp_us for row in rows], pa.int64())
    columns["late"] = pa.array([False] * count)
    columns["raw_offset"] = pa.array([0] * count, pa.int64())
    acc_x = np.array([0.1 if row.acc_x is None else row.acc_x for row in rows], np.float32)
    given = np.array([row.acc_x is not None for row in rows], np.bool_)
    measured = columns["acc_x"].to_numpy()  # type: ignore[attr-defined]
    columns["acc_x"] = pa.array(np.where(given, acc_x, np.abs(measured) + np.float32(0.01)))
    batch = pa.RecordBatch.from_arrays([columns[name] for name in SCHEMA.names], schema=SCHEMA)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, SCHEMA) as writer:
        writer.write_batch(batch)
    value: bytes = sink.getvalue().to_pybytes()
    return value


def batch_of(values: Sequence[bytes], first_offset: int = 0, spacing: int = 1) -> InputBatch:
    """Return records as a batch at first_offset, first_offset + spacing, …"""
    count = len(values)
    return InputBatch(
        keys=[None] * count,
        values=list(values),
        offsets=first_offset + spacing * np.arange(count, dtype=np.int64),
        received_us=np.full(count, START_US, np.int64),
    )


Move = tuple[str, int, int]

moves: st.SearchStrategy[list[Move]] = st.lists(
    st.tuples(
        st.sampled_from(
            ["rows"] * 8
            + ["tick"] * 4
            + ["together"] * 3
            + ["repeat", "swap", "gap", "far gap", "reboot", "before", "bad", "step", "foreign"]
        ),
        st.integers(0, len(SENSORS) - 1),
        st.integers(0, 20),
    ),
    min_size=1,
    max_size=30,
)


class _Device:
    def __init__(self, sensor_id: str) -> None:
        self.sensor_id = sensor_id
        self.boot = 0
        self.next_index = 0
        self.clock_us = START_US
        self.sent: list[Row] = []

    def make(self, count: int, acc_x: float | None = None) -> list[Row]:
        made = [
            Row(self.sensor_id, self.boot, self.next_index + i, self.clock_us + i * PERIOD_US)
            for i in range(count)
        ]
        self.advance(count)
        self.sent += made
        return made

    def advance(self, count: int) -> None:
        self.next_index += count
        self.clock_us += count * PERIOD_US


def values_of(stream_moves: Sequence[Move]) -> list[bytes]:
    """Return the records that the moves make, in order."""
    devices = [_Device(sensor_id) for sensor_id in SENSORS]
    return [v for move, which, size in stream_moves for v in _values(devices, move, which, size)]


def _values(devices: list[_Device], move: str, which: int, size: int) -> list[bytes]:  # noqa: PLR0911
    device = devices[which]
    match move:
        case "rows":
            return [stream(device.make(8 * size + 1))]
        case "together":
            return [stream([row for one in devices for row in one.make(size + 1)])]
        case "repeat":
            return [stream(device.sent[-1 - size :])] if device.sent else []
        case "swap":
            first, second = device.make(size + 1), device.make(size + 1)
            return [stream(second + first)]
        case "gap":
            device.advance(size)
            return []
        case "far gap":
            device.advance(100 + size)
            return []
        case "step":
            device.clock_us += (size - 10) * 1_500_000
            return []
        case "reboot":
            device.boot, device.next_index = device.boot + 1, 0
            device.clock_us += size * 1_000_000
            return []
        case "before":
            rows = [r for r in device.sent if r.boot < device.boot][-1 - size :]
            return [stream([row._replace(index=row.index + 10_000) for row in rows])]
        case "bad":
            rows = device.make(size + 3)
            rows[size // 2] = rows[size // 2]._replace(acc_x=0.0)
            return [stream(rows)]
        case "foreign":
            return [b"no stream at all" + bytes(size)]
    return [TICK]
