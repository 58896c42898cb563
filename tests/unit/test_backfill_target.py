"""What a backfill writes, what it goes on with, and what it refuses."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import topics
from pipelines.archive.folder_store import FolderStore
from pipelines.archive.layout import parse_path
from pipelines.archive.schemas import SCHEMAS
from pipelines.backfill.chain import parse_pipelines
from pipelines.backfill.partition_run import PartitionRun, run_partition
from pipelines.backfill.preparation import prepare, request_of
from pipelines.backfill.sensor_choice import SensorChoice
from pipelines.backfill.time_span import TimeSpan
from pipelines.errors import ConfigurationError, DataError
from pipelines.settings import Settings, load_settings
from tests.unit.archived_fleet import FAULTY, START_US, fleet_records, write_raw

CHUNK_BYTES = 100_000


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Raw files of a fleet with every fault."""
    folder = tmp_path_factory.mktemp("archive")
    store = FolderStore(folder)
    for partition, records in fleet_records(FAULTY).items():
        write_raw(store, partition, records, range_rows=150)
    return folder


def settings_with(**backfill: Any) -> Settings:
    return load_settings(backfill={"chunk_bytes": CHUNK_BYTES, "step_records": 64, **backfill})


def work(
    archive: Path,
    target: Path,
    span: TimeSpan = TimeSpan(),  # noqa: B008
    sensors: Sequence[str] = (),
    resume: bool = False,
    settings: Settings | None = None,
) -> list[PartitionRun]:
    settings = settings or settings_with()
    choice = SensorChoice(tuple(sensors))
    request = request_of(
        settings, f"file://{archive}", span, choice, parse_pipelines("session-aggregation")
    )
    return prepare(request, f"file://{target}", resume, settings)


def run_all(items: Sequence[PartitionRun]) -> None:
    for item in items:
        for _ in run_partition(item, settings_with()):
            pass


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def rows(folder: Path, topic: str) -> pa.Table:
    files = sorted((folder / topic).rglob("*.parquet"))
    return pa.concat_tables([SCHEMAS[topic].empty_table(), *map(pq.read_table, files)])


def test_cut_short_anywhere_and_gone_on_with_the_files_are_those_of_one_run(
    archive: Path, tmp_path: Path
) -> None:
    run_all(work(archive, tmp_path / "once"))
    for number, item in enumerate(work(archive, tmp_path / "cut")):
        for turn, _ in enumerate(run_partition(item, settings_with())):
            if turn == number % 4:
                break
    run_all(work(archive, tmp_path / "cut", resume=True))
    once, cut = content(tmp_path / "once"), content(tmp_path / "cut")
    assert len(once) > 60
    assert {k: v for k, v in cut.items() if not k.startswith("_")} == {
        k: v for k, v in once.items() if not k.startswith("_")
    }


def test_files_have_the_archives_layout_and_ranges_that_abut(archive: Path, tmp_path: Path) -> None:
    items = work(archive, tmp_path / "target")
    run_all(items)
    ranges: dict[int, set[tuple[int, int]]] = {}
    for path in content(tmp_path / "target"):
        file = parse_path(path)
        assert file is not None or path.startswith("_backfill/")
        if file is not None and file.range.topic == topics.TRANSFORMED:
            ranges.setdefault(file.range.partition, set()).add((file.range.start, file.range.end))
    assert len(ranges) >= 5
    for partition, found in ranges.items():
        ordered = sorted(found)
        assert ordered[0][0] == 0
        assert all(a[1] == b[0] for a, b in pairwise(ordered))
        assert ordered[-1][1] <= items[partition].plan.end


def test_spans_that_abut_hold_together_what_one_run_holds(archive: Path, tmp_path: Path) -> None:
    """Near the topic's beginning the warm-up reaches back to it, so every span is exact."""
    middle = START_US + 47_000_000
    run_all(work(archive, tmp_path / "all"))
    run_all(work(archive, tmp_path / "before", TimeSpan(None, middle)))
    run_all(work(archive, tmp_path / "after", TimeSpan(middle, None)))
    for topic in (topics.TRANSFORMED, topics.AGGREGATED, topics.DEAD_LETTERS):
        halves = [rows(tmp_path / half, topic) for half in ("before", "after")]
        assert min(map(len, halves)) > 0
        order = [("offset", "ascending"), ("sensor_id", "ascending")]
        order += [(n, "ascending") for n in ("sample_index", "start_us", "byte_range")]
        order = [(name, way) for name, way in order if name in SCHEMAS[topic].names]
        joined = pa.concat_tables(halves).sort_by(order)
        assert joined == rows(tmp_path / "all", topic).sort_by(order)


def test_one_sensor_has_the_rows_that_it_has_among_all(archive: Path, tmp_path: Path) -> None:
    run_all(work(archive, tmp_path / "all"))
    run_all(work(archive, tmp_path / "one", sensors=("sensor3",)))
    for topic in (topics.TRANSFORMED, topics.AGGREGATED, topics.SESSIONS, topics.DEAD_LETTERS):
        of_all = rows(tmp_path / "all", topic)
        expected = of_all.filter(pa.compute.equal(of_all["sensor_id"], "sensor3"))
        assert sorted(map(repr, rows(tmp_path / "one", topic).to_pylist())) == sorted(
            map(repr, expected.to_pylist())
        )


def test_a_target_is_gone_on_with_only_when_asked_and_only_for_the_same_request(
    archive: Path, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    work(archive, target)
    with pytest.raises(ConfigurationError, match="--resume"):
        work(archive, target)
    with pytest.raises(ConfigurationError, match=r"sensors \(\), not \('a',\)"):
        work(archive, target, sensors=("a",), resume=True)
    with pytest.raises(ConfigurationError, match="settings"):
        work(archive, target, resume=True, settings=settings_with(warm_up_s=1))
    assert len(work(archive, target, resume=True)) == topics.PARTITIONS


def test_the_archive_itself_and_other_data_are_no_target(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is the archive itself"):
        work(archive, archive)
    (tmp_path / topics.SESSIONS / "dt=2025-11-24").mkdir(parents=True)
    (tmp_path / topics.SESSIONS / "dt=2025-11-24" / "x.parquet").touch()
    with pytest.raises(ConfigurationError, match="holds files of new-session-topic"):
        work(archive, tmp_path)


def test_an_archive_without_raw_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="holds no files of imu-data-all"):
        work(tmp_path / "nothing", tmp_path / "target")


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """An archive of one partition whose range lies in two hours."""
    records = max(fleet_records(FAULTY).values(), key=len)
    write_raw(FolderStore(tmp_path / "archive"), 4, records, range_rows=len(records))
    files = sorted((tmp_path / "archive").rglob("*.parquet"))
    assert len(files) >= 2
    files[0].unlink()
    return tmp_path / "archive"


def test_a_lost_file_of_a_range_is_noticed(damaged: Path, tmp_path: Path) -> None:
    items = work(damaged, tmp_path / "target")
    with pytest.raises(DataError, match=r"imu-data-all/4 offsets 0 to \d+, of which its writer"):
        run_all(items)
