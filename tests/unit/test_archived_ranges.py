"""How the files of a partition lie: what is missing, double or does not agree is named."""

from pipelines.archive.layout import ArchivedHour, OffsetRange
from pipelines.verify.archived_ranges import ArchivedRange, FileFacts, lay_out
from pipelines.verify.stage_result import StageRow


def _file(start: int, end: int, hour: int = 0, rows: int = 5, files: int = 1) -> FileFacts:
    place = ArchivedHour(OffsetRange("t", 0, start, end), hour)
    return FileFacts(f"{start}-{end}@{hour}", place, rows, 5, rows * files, files)


def _lay_out(*files: FileFacts, to: int) -> tuple[StageRow, list[tuple[int, int, int]]]:
    row = StageRow("archive", 0)
    ranges: list[ArchivedRange] = lay_out(row, files, to)
    return row, [(one.start, one.end, len(one.files)) for one in ranges]


def test_ranges_that_abut_up_to_the_mark_are_as_they_should_be() -> None:
    row, ranges = _lay_out(_file(9, 20), _file(0, 9, 1, files=2), _file(0, 9, 2, files=2), to=20)
    assert (row.lost, row.doubled, row.wrong) == (0, 0, 0)
    assert ranges == [(0, 9, 2), (9, 20, 1)]


def test_files_past_the_mark_are_being_written_and_are_passed_over() -> None:
    row, ranges = _lay_out(_file(0, 9), _file(9, 20), to=9)
    assert (row.doubled, row.wrong, ranges) == (0, 0, [(0, 9, 1)])


def test_a_hole_is_a_range_without_files() -> None:
    _, ranges = _lay_out(_file(0, 9), _file(12, 20), to=25)
    assert ranges == [(0, 9, 1), (9, 12, 0), (12, 20, 1), (20, 25, 0)]


def test_a_range_over_others_is_doubled_with_all_its_rows() -> None:
    row, ranges = _lay_out(_file(0, 9), _file(5, 15, rows=7), _file(9, 20), to=20)
    assert (row.doubled, ranges) == (7, [(0, 9, 1), (9, 20, 1)])


def test_a_missing_hour_of_a_range_is_noticed() -> None:
    row, _ = _lay_out(_file(0, 9, 1, files=2), to=9)
    assert row.wrong == 1
    assert "1 of 2 files" in row.differences[0].what


def test_a_range_that_goes_past_the_mark_is_wrong() -> None:
    row, _ = _lay_out(_file(0, 9), to=7)
    assert row.wrong == 1
