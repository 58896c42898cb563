"""What people see of the pipelines: all of them, from changelogs and from the sinks' marks."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from serve_clients import Pipeline, eventually

from cluster.local.stack import Stack
from pipelines import ledger, topics
from pipelines.admin import create_topics
from pipelines.control import Control, write_record
from pipelines.errors import UnavailableError
from pipelines.owned_partition import SlotIdentity
from pipelines.settings import Settings
from serve.observation import PIPELINES, Observation
from serve.pipelines_report import PipelineReport
from tests.integration.session_feed import SessionFeed
from tests.session_events import session_event

FAR_BACK = 300
"""Records after a ledger: more than are read of a changelog at first."""


@contextmanager
def observing(settings: Settings) -> Iterator[Observation]:
    observation = Observation(settings)
    observation.start()
    try:
        yield observation
    finally:
        observation.stop()


def report_of(observation: Observation, name: str) -> PipelineReport | None:
    """The report, once Kafka is read."""
    try:
        return observation.pipeline(name)
    except UnavailableError:
        return None


def _ledger(pipeline: str, partition: int, records: int) -> bytes:
    return ledger.encode(
        ledger.Ledger(pipeline, partition, 1, 0, records, records, 1, "test", {"records": records})
    )


def _running(settings: Settings, pipeline: str) -> None:
    record = Control(pipeline, slots=1, generation=1, paused=False, running_slots=1)
    write_record(settings.kafka, record)


@pytest.fixture(autouse=True)
def all_topics(servers: Stack) -> None:
    """The topics, as `up` makes them."""
    create_topics(servers.settings.kafka)


@pytest.fixture
def writer(servers: Stack) -> SessionFeed:
    """The session writer under its own name, into a database of this test."""
    feed = SessionFeed(servers.settings, topics.SESSION_WRITER)
    feed.settings.mongo.database = "observed"
    return feed


def test_every_pipeline_is_reported_and_starting_before_it_has_begun(servers: Stack) -> None:
    with observing(servers.settings) as observation:
        eventually(lambda: report_of(observation, PIPELINES[0]) is not None, "a report")
        reports = {report.name: report for report in observation.pipelines()}
    assert list(reports) == [
        "sensor-processing",
        "session-aggregation",
        "ml-inference",
        "session-writer",
        "archive",
    ]
    assert reports["ml-inference"].state == "starting"


def test_a_ledger_far_back_in_a_changelog_is_found_and_followed(servers: Stack) -> None:
    pipeline = Pipeline(servers.settings.kafka)
    name = "session-aggregation"
    with pipeline.transaction():
        pipeline.changelog(name, 3, b"ledger", _ledger(name, 3, 50))
    with pipeline.transaction():
        for row in range(FAR_BACK):
            pipeline.changelog(name, 3, b"state%d" % row, b"1")
    with observing(servers.settings) as observation:
        eventually(lambda: report_of(observation, name) is not None, "a report")
        report = observation.pipeline(name)
        assert [(each.topic, each.partition) for each in report.partitions] == [
            (topics.AGGREGATED, 3)
        ]
        assert report.counts == {"records": 50}
        with pipeline.transaction():
            pipeline.changelog(name, 3, b"ledger", _ledger(name, 3, 80))
        eventually(lambda: observation.pipeline(name).counts == {"records": 80}, "its next ledger")


def test_changelogs_that_never_come_to_rest_are_read(servers: Stack) -> None:
    pipeline = Pipeline(servers.settings.kafka)
    name = "ml-inference"
    over = threading.Event()

    def write() -> None:
        records = 0
        while not over.is_set():
            records += 1
            with pipeline.transaction():
                for partition in range(topics.PARTITIONS):
                    pipeline.changelog(
                        name, partition, b"ledger", _ledger(name, partition, records)
                    )

    writing = threading.Thread(target=write)
    writing.start()
    try:
        with observing(servers.settings) as observation:
            eventually(lambda: report_of(observation, name) is not None, "a report")
            eventually(lambda: observation.pipeline(name).records_per_s > 0, "a rate")
            assert len(observation.pipeline(name).partitions) == topics.PARTITIONS
    finally:
        over.set()
        writing.join()


def test_a_sink_shows_its_marks_lag_rate_and_counts(servers: Stack, writer: SessionFeed) -> None:
    _running(writer.settings, writer.pipeline)
    writer.write([session_event(f"seen{sensor}", 1) for sensor in range(25)])
    with observing(writer.settings) as observation:
        with writer.running(SlotIdentity(writer.pipeline, 1, 0, 1, "test")):
            writer.wait_until_written()

            def lively() -> bool:
                writer.write([session_event("seen1", 2)])
                report = report_of(observation, writer.pipeline)
                return report is not None and report.records_per_s > 0

            eventually(lively, "a rate")
            writer.wait_until_written()
            eventually(lambda: observation.pipeline(writer.pipeline).lag == 0, "no lag")
            report = observation.pipeline(writer.pipeline)
            assert report.state == "running"
            assert len(report.partitions) == topics.PARTITIONS
            assert report.counts["documents"] >= 25
            assert report.last_commit_us is not None
        writer.write([session_event("seen2", 2)])
        eventually(lambda: (observation.pipeline(writer.pipeline).lag or 0) >= 2, "lag")
