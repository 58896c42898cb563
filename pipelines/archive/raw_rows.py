"""Rows of imu-data-all: one for each record, ticks included."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipelines.archive.record import Record, text_of
from pipelines.archive.schemas import RAW
from pipelines.batching import received_us
from pipelines.frame_table import tabulate


def raw_rows(records: Sequence[Record]) -> pa.Table:
    """Return the rows; a record's time is that of its first good frame, else its reception."""
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
    # A tick is no payload of a device, whatever its bytes.
    framed = [row for row, record in enumerate(records) if record.key is not None]
    table = tabulate([values[row] for row in framed])
    with_frame = np.diff(table.first_frame) > 0
    rows = np.array(framed, np.int64)[with_frame]
    times[rows] = table.timestamp_us[table.first_frame[:-1][with_frame]]
    return times
