"""The files of one partition of a topic as ranges, and what is wrong with how they lie. Pure."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pipelines.archive.layout import ArchivedHour
from pipelines.verify.result import Difference
from pipelines.verify.stage_result import StageRow


class FileFacts(NamedTuple):
    """What a file says of itself: its place, its rows, and the whole of its range."""

    path: str
    file: ArchivedHour
    rows: int
    range_records: int
    range_rows: int
    range_files: int


class ArchivedRange(NamedTuple):
    """A range with its files; one without files is a hole that no file covers."""

    start: int
    end: int
    files: Sequence[FileFacts]

    @property
    def rows(self) -> int:
        """Rows that its files hold."""
        return sum(file.rows for file in self.files)


def lay_out(row: StageRow, files: Iterable[FileFacts], written_to: int) -> list[ArchivedRange]:
    """Return the ranges up to ``written_to``, holes among them, and note what is wrong.

    Ranges must abut up to ``written_to``; later ones are being written. A range that lies over
    one before it is counted as doubled, with all its rows, and left out. Rows that a range misses
    are left to be counted where they can be compared with the topic.
    """
    of_range: dict[tuple[int, int], list[FileFacts]] = {}
    for file in files:
        if file.file.range.start < written_to:
            of_range.setdefault(file.file.range[2:], []).append(file)
    ranges: list[ArchivedRange] = []
    position: int | None = None
    for (start, end), mine in sorted(of_range.items()):
        found = ArchivedRange(start, end, mine)
        if position is not None and start < position:
            what = f"{mine[0].path} covers offsets below {position}, which other files cover"
            row.add(Difference("doubled", what, row.partition, start), found.rows)
            continue
        if end > written_to:
            what = f"{mine[0].path} goes past offset {written_to}, to which the archive is written"
            row.add(Difference("wrong", what, row.partition, start))
            continue
        if position is not None and start > position:
            ranges.append(ArchivedRange(position, start, ()))
        _check_range(row, found)
        ranges.append(found)
        position = end
    if position is not None and position < written_to:
        ranges.append(ArchivedRange(position, written_to, ()))
    return ranges


def _check_range(row: StageRow, found: ArchivedRange) -> None:
    """See that the files of one range agree on what it is, and are all there."""
    first = found.files[0]
    told = {(f.range_records, f.range_rows, f.range_files) for f in found.files}
    if len(told) > 1:
        what = f"{first.path} and the other files of its range differ on what it holds"
        row.add(Difference("wrong", what, row.partition, found.start))
    elif len(found.files) != first.range_files:
        what = (
            f"{len(found.files)} of {first.range_files} files of offsets {found.start} to "
            f"{found.end} are there"
        )
        kind = Difference("wrong", what, row.partition, found.start)
        row.add(kind)
    elif found.rows != first.range_rows:
        what = f"{first.path} and its siblings hold {found.rows} of {first.range_rows} rows"
        row.add(Difference("wrong", what, row.partition, found.start))
