"""Compare the rows that a range's files hold with those that they should hold. Pure."""

import numpy as np
import pyarrow as pa

from pipelines.archive.schemas import SCHEMAS, TIME_COLUMN
from pipelines.verify.result import DIFFERENCES_KEPT, Difference
from pipelines.verify.row_hashes import row_hashes, same_rows, unmatched
from pipelines.verify.stage_result import StageRow

_NAMES = ("sensor_id", "boot", "sample_index", "offset")
"""With its time, what a row is known by; the rest of it is what it says."""


def compare_rows(row: StageRow, topic: str, expected: pa.Table, written: pa.Table) -> None:
    """Note each row that is missing (lost), more than once there (doubled) or altered (wrong)."""
    names = SCHEMAS[topic].names
    hashes = row_hashes(expected, names), row_hashes(written, names)
    if same_rows(*hashes):
        return
    missing, extra = unmatched(*hashes)
    known_by = [name for name in names if name in _NAMES or name == TIME_COLUMN[topic]]
    without, beyond = expected.take(pa.array(missing)), written.take(pa.array(extra))
    left_missing, left_extra = unmatched(
        row_hashes(without, known_by), row_hashes(beyond, known_by)
    )
    altered = np.setdiff1d(np.arange(len(missing)), left_missing)
    _note(row, "wrong", f"{topic}: a row is not as its record says", without, altered)
    _note(row, "lost", f"{topic}: a row is in no file", without, left_missing)
    _note(row, "doubled", f"{topic}: a row is there once too often", beyond, left_extra)


def _note(
    row: StageRow, kind: str, what: str, rows: pa.Table, which: "np.typing.NDArray[np.int64]"
) -> None:
    named = rows.take(pa.array(which[:DIFFERENCES_KEPT])).to_pylist()
    for fields in named:
        row.add(
            Difference(
                kind,  # type: ignore[arg-type]
                what,
                row.partition,
                fields["offset"],
                fields["sensor_id"],
                fields.get("boot"),
                fields.get("sample_index"),
            )
        )
    if len(which) > len(named):
        more = Difference(kind, f"{what}, and more", row.partition)  # type: ignore[arg-type]
        row.add(more, len(which) - len(named))
