"""Rows of imu-data-all: one for each record, ticks included."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipelines.archive.record import Record, text_of
from pipelines.archive.schemas import RAW
from pipelines.batching import received_us
from pipelines.frame_table import tabulate
from pipelines.json_payload.forms import InvalidPayloadError, is_json, read_json

_ANY_RATE_HZ = 1.0
"""Only JSON payloads depend on it, whose time here is that of a reading and not of a sample."""


def raw_rows(records: Sequence[Record]) -> pa.Table:
    """Return the rows.

    A record's time is that of its first good frame, or of a JSON payload's first reading that
    counts; else its reception.
    """
    values = [record.value for record in records]
    received = np.fromiter(
        (received_us(record.headers.items(), record.timestamp_us) for record in records),
        np.int64,
        len(records),
    )
    return pa.Table.from_arrays(
        [
            pa.array([text_of(record.key) for record in records], pa.string()),
            pa.array(_times(records, values, received)),
            pa.array(received),
            pa.array(values, pa.binary()),
            pa.array([record.offset for record in records], pa.int64()),
        ],
        schema=RAW,
    )


def _times(
    records: Sequence[Record], values: Sequence[bytes], received: "np.typing.NDArray[np.int64]"
) -> "np.typing.NDArray[np.int64]":
    times = received.copy()
    framed = []
    for row, record in enumerate(records):
        if record.key is None:
            continue  # A tick is no payload of a device, whatever its bytes.
        if is_json(values[row]):
            times[row] = _time_of_json(values[row], int(received[row]))
        else:
            framed.append(row)
    table = tabulate([values[row] for row in framed], _ANY_RATE_HZ)
    with_frame = np.diff(table.first_frame) > 0
    rows = np.array(framed, np.int64)[with_frame]
    times[rows] = table.timestamp_us[table.first_frame[:-1][with_frame]]
    return times


def _time_of_json(payload: bytes, received_us: int) -> int:
    try:
        return read_json(payload).begin_ns // 1000
    except InvalidPayloadError:
        return received_us
