"""The flow from MQTT to Parquet: what each stage's books say, and null where they say nothing."""

from pipelines import topics
from pipelines.sinks.sink_offsets import Place
from serve.flow import RawWritten, balance, flow_report
from serve.growth import Growth
from serve.observation import PIPELINES
from serve.pipelines_report import PartitionReport, PipelineReport, Progress

FRAMES = {"frames": 10, "transformed": 6, "duplicates": 2, "heartbeats": 1, "dead_letters": 1}


def _report(
    name: str, counts: dict[str, int], *topics_read: str, lag: int | None = 2
) -> PipelineReport:
    partitions = [
        PartitionReport(
            topic=topic, partition=0, slot=0, next_offset=5, end_offset=7, lag=2, last_commit_us=1
        )
        for topic in topics_read
    ]
    return PipelineReport(
        name=name, generation=1, slots=1, running_slots=1, paused=False, state="running",
        alarm=None, lag=2, records_per_s=4.0, samples_per_s=256.0, last_commit_us=1,
        counts=counts, partitions=partitions,
    )  # fmt: skip


def test_a_stage_whose_books_balance_has_lost_and_doubled_nothing() -> None:
    assert balance("sensor-processing", FRAMES) == (0, 0)
    assert balance("sensor-processing", FRAMES | {"frames": 13}) == (3, 0)
    assert balance("ml-inference", {"samples": 4, "predicted": 3, "skipped": 2}) == (0, 1)
    assert balance("session-aggregation", {"records": 4, "windows": 3, "ticks": 1}) == (0, 0)


def test_what_the_books_do_not_say_is_unknown() -> None:
    assert balance("sensor-processing", {}) == (None, None)
    assert balance(topics.SESSION_WRITER, {"records": 4}) == (None, None)


def test_the_flow_goes_from_the_bridge_through_every_pipeline_to_the_files() -> None:
    reports = [
        _report("sensor-processing", FRAMES | {"samples": 640}, topics.RAW),
        _report("session-aggregation", {}),
        _report("ml-inference", {}),
        _report(topics.SESSION_WRITER, {"records": 1}, topics.SESSIONS),
        _report(topics.ARCHIVE, {}, topics.RAW, topics.SESSIONS),
    ]
    assert [report.name for report in reports] == list(PIPELINES)
    archive = [
        Progress(Place(topics.RAW, partition), 0, 5, 1, {"rows": 3}) for partition in range(2)
    ]
    stages = flow_report(reports, RawWritten(12, 3.5), archive).stages
    bridge, processing, sessions, *_ = stages
    assert (bridge.source, bridge.to, bridge.counts) == ("MQTT", topics.RAW, {"records": 12})
    assert (bridge.records_per_s, bridge.lag, bridge.lost) == (3.5, None, None)
    assert (processing.source, processing.to) == (topics.RAW, topics.TRANSFORMED)
    assert (processing.lag, processing.samples_per_s, processing.lost) == (2, 256.0, 0)
    assert (sessions.records_per_s, sessions.samples_per_s) == (None, None)
    files = [stage for stage in stages if stage.to == "Parquet"]
    assert [stage.source for stage in files] == list(topics.SINKS[topics.ARCHIVE])
    assert (files[0].counts, files[0].lag) == ({"rows": 6}, 2)
    assert files[1].lag is None


def test_growth_is_over_the_last_seconds_and_unknown_at_first() -> None:
    growth = Growth(over_s=5.0)
    assert growth.per_s() is None
    for second in range(20):
        growth.take(float(second), 100 * second if second < 10 else 1_000)
    assert growth.per_s() == 0.0
    growth.take(20.0, 2_000)
    assert growth.per_s() == 200.0
