"""Rows of sensor-data-aggregated: one for each window (schemas/window.schema.json)."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pyarrow as pa

from pipelines.archive.record import Record, UnreadableRecordError
from pipelines.archive.schemas import AGGREGATED


class _Statistics(msgspec.Struct, forbid_unknown_fields=True):
    min: float
    max: float
    mean: float
    rms: float
    std: float


class _Window(msgspec.Struct, forbid_unknown_fields=True, tag_field="kind"):
    sensor_id: str
    boot: int
    start_us: int
    end_us: int
    samples: int
    first_sample: int
    last_sample: int
    closed_by: str
    through_offset: int


class _Motion(_Window, tag="motion", kw_only=True):
    gaps: int
    late: int
    acc_mag: _Statistics
    gyro_mag: _Statistics


class _Model(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    version: str
    sha256: str


class _Velocity(_Window, tag="velocity", kw_only=True):
    velocity_max: float
    distance_m: float
    moving_share: float
    resets: int
    skipped: int
    model: _Model


_DECODER = msgspec.json.Decoder(_Motion | _Velocity)
_NESTED = ("acc_mag", "gyro_mag", "model")


def window_rows(records: Sequence[Record]) -> pa.Table:
    """Return the windows, their nested parts as columns; raises UnreadableRecordError."""
    return pa.Table.from_pylist([_row(record) for record in records], AGGREGATED)


def _row(record: Record) -> dict[str, Any]:
    try:
        window = _DECODER.decode(record.value)
    except msgspec.DecodeError as error:
        raise UnreadableRecordError(record.offset, f"it is no window ({error})") from None
    row = msgspec.structs.asdict(window)
    for name in _NESTED:
        if name in row:
            parts = msgspec.structs.asdict(row.pop(name))
            row.update({f"{name}_{part}": value for part, value in parts.items()})
    kind = window.__struct_config__.tag
    return {**row, "kind": kind, "offset": record.offset}
