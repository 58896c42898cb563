"""`imustream bench archive` measures, and leaves nothing behind."""

import pytest

from cluster.bench.archive import measure_archive
from pipelines import topics
from pipelines.sinks.sink_offsets import Place, read_group_marks
from simulator.options import FleetOptions
from tests.conftest import running_stack
from tests.integration.archive_pipeline import ArchiveInput


@pytest.mark.slow
def test_the_benchmark_writes_all_rows_both_ways_and_leaves_the_archive_alone() -> None:
    with running_stack(("kafka",)) as stack:
        feed = ArchiveInput(stack.settings, "bench-feed")
        feed.write(FleetOptions(sensors=10, seconds=10, as_fast_as_possible=True))
        figures = measure_archive(stack.settings, lambda _what: None)
        places = [Place(topics.RAW, partition) for partition in range(topics.PARTITIONS)]
        assert read_group_marks(stack.settings.kafka, topics.ARCHIVE, places) == {}
    samples = 10 * 10 * 200
    assert figures["rows"] > 2 * samples
    assert figures["ratio_cpu"] == pytest.approx(
        figures["pyarrow_alone"]["cpu_s"] / figures["archive"]["cpu_s"], abs=0.05
    )
