"""When a range is due: by rows, by bytes, by the records' own time, by how long they waited."""

from pipelines import topics
from pipelines.archive.pending import Pending, largest_beyond
from pipelines.settings import ArchiveSettings
from pipelines.sinks.sink_offsets import Place
from tests.unit.archive_records import START_US, motion, samples, tick

_PLACE = Place(topics.AGGREGATED, 3)
_BOUNDS = ArchiveSettings(max_rows=3, max_bytes=1024, max_record_s=60, max_staleness_s=5)


def _with(windows: int) -> Pending:
    pending = Pending(_PLACE, 10)
    pending.add([motion(10 + at) for at in range(windows)], 100.0)
    return pending


def test_an_empty_range_is_never_due() -> None:
    assert not Pending(_PLACE, 10).due(_BOUNDS, 1e9)


def test_offsets_that_hold_no_record_are_committed_in_their_time() -> None:
    pending = Pending(_PLACE, 10)
    pending.skip_to(10, 100.0)
    assert not pending.due(_BOUNDS, 1e9)
    pending.skip_to(12, 100.0)
    assert not pending.due(_BOUNDS, 104.9)
    assert pending.due(_BOUNDS, 105.0)
    assert (pending.rows, pending.position) == (0, 12)


def test_rows_make_it_due() -> None:
    roomy = _BOUNDS.model_copy(update={"max_bytes": 10**9})
    assert not _with(2).due(roomy, 100.0)
    assert _with(3).due(roomy, 100.0)


def test_bytes_make_it_due() -> None:
    assert not _with(1).due(_BOUNDS, 100.0)
    assert _with(3).bytes < 1024 <= _with(4).bytes
    many = _BOUNDS.model_copy(update={"max_rows": 10**6})
    assert not _with(3).due(many, 100.0)
    assert _with(4).due(many, 100.0)


def test_the_span_of_the_records_makes_it_due() -> None:
    pending = _with(1)
    pending.add([motion(11)._replace(timestamp_us=START_US + 60_000_000)], 100.0)
    assert pending.due(_BOUNDS, 100.0)


def test_waiting_makes_it_due_and_ticks_alone_do_too() -> None:
    pending = Pending(_PLACE, 10)
    pending.add([tick(10)], 100.0)
    assert not pending.due(_BOUNDS, 104.9)
    assert pending.due(_BOUNDS, 105.0)
    assert (pending.rows, pending.position) == (0, 11)


def test_the_largest_are_written_when_all_together_are_too_much() -> None:
    small, large = Pending(_PLACE, 0), Pending(Place(topics.TRANSFORMED, 1), 0)
    small.add([motion(0)], 0.0)
    large.add([samples(0, [("a", START_US)] * 200)], 0.0)
    assert largest_beyond([small, large], small.bytes + large.bytes) == []
    assert largest_beyond([small, large], small.bytes + large.bytes - 1) == [large]
    assert largest_beyond([small, large], 1) == [large, small]
