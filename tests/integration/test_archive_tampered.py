"""`imustream archive verify` against tampering: whatever is changed is found and named."""

import io
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cluster.local.stack import Stack
from pipelines import topics
from pipelines.archive.layout import parse_path
from pipelines.settings import Settings
from pipelines.verify.parquet import verify_parquet, verify_topic
from pipelines.verify.stage_result import StageRow
from simulator.options import FleetOptions
from tests.conftest import running_stack
from tests.integration.archive_pipeline import ArchiveInput, all_archived, archiving, new_archive
from tests.integration.counting_pipeline import wait_until

_FLEET = FleetOptions(sensors=30, seconds=15, as_fast_as_possible=True, bad_crc=0.05)


@pytest.fixture(scope="module")
def archived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """An archive in a folder that is whole, with several ranges to a partition."""
    with running_stack(("kafka",)) as stack:
        yield _archive(stack, tmp_path_factory.mktemp("archive"))


def _archive(stack: Stack, folder: Path) -> Settings:
    feed = ArchiveInput(stack.settings, "tampered-feed")
    settings = new_archive(stack.settings, f"file://{folder}", max_rows=4_000)
    with archiving(settings):
        for fleet in ("first", "second", "third"):
            feed.write(replace(_FLEET, sensor_prefix=fleet))
            wait_until(lambda: all_archived(settings), f"the {fleet} fleet archived", 60)
    return settings


@pytest.fixture
def tampered(archived: Settings, tmp_path: Path) -> tuple[Settings, Path]:
    """A copy of that archive, to be tampered with, and its folder."""
    folder = tmp_path / "copy"
    shutil.copytree(archived.archive.url.removeprefix("file://"), folder)
    settings = archived.model_copy(deep=True)
    settings.archive.url = f"file://{folder}"
    return settings, folder


def _silent(partition: int, done: int, total: int) -> None:
    """Show nothing."""


def _verified(settings: Settings, topic: str = topics.TRANSFORMED) -> list[StageRow]:
    return verify_topic(settings, topic, _silent)


def _sums(rows: list[StageRow]) -> tuple[int, int, int]:
    return (
        sum(row.lost for row in rows),
        sum(row.doubled for row in rows),
        sum(row.wrong for row in rows),
    )


def _middle_file(folder: Path, topic: str) -> Path:
    """A file of a range that has others before and after it."""
    files = sorted(folder.glob(f"{topic}/**/*.parquet"))
    for partition in range(topics.PARTITIONS):
        mine = [file for file in files if _partition(folder, file) == partition]
        starts = sorted({_start(folder, file) for file in mine})
        if len(starts) > 2:
            return next(file for file in mine if _start(folder, file) == starts[1])
    raise AssertionError(f"no partition of {topic} has three ranges")


def _partition(folder: Path, file: Path) -> int:
    parsed = parse_path(file.relative_to(folder).as_posix())
    assert parsed is not None
    return parsed.range.partition


def _start(folder: Path, file: Path) -> int:
    parsed = parse_path(file.relative_to(folder).as_posix())
    assert parsed is not None
    return parsed.range.start


def _rewrite(file: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """Change a file's rows and keep what it says of itself."""
    before = pq.ParquetFile(io.BytesIO(file.read_bytes()))
    metadata = before.metadata.metadata
    with pq.ParquetWriter(file, before.schema_arrow, store_schema=False) as writer:
        writer.write_table(change(before.read()))
        writer.add_key_value_metadata({k.decode(): v.decode() for k, v in metadata.items()})


def test_an_archive_as_it_was_written_is_proved(archived: Settings) -> None:
    assert _sums(verify_parquet(archived, _silent)) == (0, 0, 0)


@pytest.mark.parametrize("topic", topics.SINKS[topics.ARCHIVE])
def test_a_dropped_row_is_lost(tampered: tuple[Settings, Path], topic: str) -> None:
    settings, folder = tampered
    _rewrite(_middle_file(folder, topic), lambda table: table.slice(1))
    lost, doubled, wrong = _sums(_verified(settings, topic))
    assert (lost, doubled) == (1, 0)
    assert wrong > 0, "its counts do not add up either"


def test_a_doubled_row_is_doubled(tampered: tuple[Settings, Path]) -> None:
    settings, folder = tampered
    file = _middle_file(folder, topics.TRANSFORMED)
    _rewrite(file, lambda table: pa.concat_tables([table.slice(0, 1), table]))
    assert _sums(_verified(settings))[:2] == (0, 1)


@pytest.mark.parametrize("topic", topics.SINKS[topics.ARCHIVE])
def test_an_altered_value_is_wrong(tampered: tuple[Settings, Path], topic: str) -> None:
    settings, folder = tampered
    columns = {
        topics.RAW: "value",
        topics.TRANSFORMED: "gyro_y",
        topics.PREDICTIONS: "velocity",
        topics.AGGREGATED: "acc_mag_std",
        topics.SESSIONS: "samples",
        topics.DEAD_LETTERS: "value",
    }
    file = _middle_file(folder, topic)
    _rewrite(file, lambda table: _altered(table, columns[topic]))
    rows = _verified(settings, topic)
    assert _sums(rows) == (0, 0, 1)
    (difference,) = [d for row in rows for d in row.differences]
    assert difference.what == f"{topic}: a row is not as its record says"


def _altered(table: pa.Table, column: str) -> pa.Table:
    at = table.column_names.index(column)
    values = table.column(at).to_pylist()
    values[0] = values[0] + b"!" if isinstance(values[0], bytes) else values[0] + 1
    return table.set_column(at, table.schema.field(at), pa.array(values, table.schema.types[at]))


@pytest.mark.parametrize("topic", topics.SINKS[topics.ARCHIVE])
def test_the_rows_of_a_removed_file_are_lost(tampered: tuple[Settings, Path], topic: str) -> None:
    settings, folder = tampered
    file = _middle_file(folder, topic)
    rows = pq.read_metadata(file).num_rows
    file.unlink()
    lost, doubled, wrong = _sums(_verified(settings, topic))
    assert (lost, doubled) == (rows, 0)
    assert wrong > 0, "what the archive counted is not there"


def test_the_first_file_of_a_partition_is_missed_too(tampered: tuple[Settings, Path]) -> None:
    settings, folder = tampered
    partition = _partition(folder, _middle_file(folder, topics.SESSIONS))
    files = folder.glob(f"{topics.SESSIONS}/**/*.parquet")
    mine = [file for file in files if _partition(folder, file) == partition]
    min(mine, key=lambda file: _start(folder, file)).unlink()
    rows = _verified(settings, topics.SESSIONS)
    assert _sums(rows)[2] > 0
    assert "the archive wrote" in str(next(d for row in rows for d in row.differences))


def test_a_file_of_an_overlapping_range_is_doubled(tampered: tuple[Settings, Path]) -> None:
    settings, folder = tampered
    file = _middle_file(folder, topics.AGGREGATED)
    parsed = parse_path(file.relative_to(folder).as_posix())
    assert parsed is not None
    _, partition, start, end = parsed.range
    copy = file.with_name(f"{topics.AGGREGATED}+{partition}+{start + 1}-{end}.parquet")
    shutil.copy(file, copy)
    with_own_range = pq.ParquetFile(io.BytesIO(file.read_bytes()))
    told = {k.decode(): v.decode() for k, v in with_own_range.metadata.metadata.items()}
    told["imustream.start"] = str(start + 1)
    with pq.ParquetWriter(copy, with_own_range.schema_arrow, store_schema=False) as writer:
        writer.write_table(with_own_range.read())
        writer.add_key_value_metadata(told)
    lost, doubled, _ = _sums(_verified(settings, topics.AGGREGATED))
    assert (lost, doubled) == (0, with_own_range.metadata.num_rows)


def test_a_file_that_is_cut_short_is_wrong(tampered: tuple[Settings, Path]) -> None:
    settings, folder = tampered
    file = _middle_file(folder, topics.TRANSFORMED)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    lost, _, wrong = _sums(_verified(settings))
    assert lost > 0
    assert wrong > 0


def test_rows_in_the_folder_of_another_hour_are_wrong(tampered: tuple[Settings, Path]) -> None:
    settings, folder = tampered
    file = _middle_file(folder, topics.TRANSFORMED)
    moved = folder / topics.TRANSFORMED / "dt=2001-01-01" / "hour=03" / file.name
    moved.parent.mkdir(parents=True)
    file.rename(moved)
    rows = _verified(settings)
    assert "belong to another hour" in " ".join(d.what for row in rows for d in row.differences)


def test_numbers_of_any_kind_are_compared_bit_by_bit(tampered: tuple[Settings, Path]) -> None:
    settings, folder = tampered
    file = _middle_file(folder, topics.TRANSFORMED)

    def nudge(table: pa.Table) -> pa.Table:
        at = table.column_names.index("acc_x")
        values = table.column(at).to_numpy().copy()
        values[3] = np.nextafter(values[3], np.float32(np.inf))
        return table.set_column(at, table.schema.field(at), pa.array(values))

    _rewrite(file, nudge)
    assert _sums(_verified(settings)) == (0, 0, 1)
