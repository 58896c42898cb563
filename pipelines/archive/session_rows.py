"""Rows of new-session-topic: one for each event (schemas/session.schema.json)."""

from collections.abc import Sequence

import msgspec
import pyarrow as pa

from pipelines.archive.record import Record, UnreadableRecordError
from pipelines.archive.schemas import SESSIONS


class _Event(msgspec.Struct, forbid_unknown_fields=True):
    event: str
    session_id: str
    sensor_id: str
    revision: int
    state: str
    start_us: int
    end_us: int
    windows: int
    samples: int
    gaps: int
    late: int
    acc_mag_max: float
    gyro_mag_max: float
    velocity_windows: int
    velocity_max: float | None
    distance_m: float | None
    first_boot: int
    last_boot: int
    closed_by: str | None
    through_offset: int


_DECODER = msgspec.json.Decoder(_Event)


def session_rows(records: Sequence[Record]) -> pa.Table:
    """Return the events; raises UnreadableRecordError."""
    rows = []
    for record in records:
        try:
            event = _DECODER.decode(record.value)
        except msgspec.DecodeError as error:
            raise UnreadableRecordError(
                record.offset, f"it is no event of a session ({error})"
            ) from None
        rows.append({**msgspec.structs.asdict(event), "offset": record.offset})
    return pa.Table.from_pylist(rows, SESSIONS)
