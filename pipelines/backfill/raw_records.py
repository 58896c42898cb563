"""Rows of the archive's raw files as the records they were, in the order of their offsets."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.records import InputBatch


def records_of(table: pa.Table) -> InputBatch:
    """Return rows of :data:`pipelines.archive.schemas.RAW` in offset order.

    The files of one range of offsets, joined, hold its records by hour, sensor and time.
    """
    table = table.take(pc.sort_indices(table["offset"]))
    return InputBatch(
        keys=table["sensor_id"].cast(pa.binary()).to_pylist(),
        values=table["value"].to_pylist(),
        offsets=table["offset"].to_numpy().astype(np.int64, copy=False),
        received_us=table["received_us"].to_numpy().astype(np.int64, copy=False),
    )


def pieces(batch: InputBatch, most: int) -> Iterator[InputBatch]:
    """Cut a batch into pieces of at most ``most`` records."""
    for at in range(0, len(batch.values), most):
        rows = slice(at, at + most)
        yield InputBatch(
            batch.keys[rows], batch.values[rows], batch.offsets[rows], batch.received_us[rows]
        )
