"""The archive over real topics: exactly once, through kills at every step and S3 away."""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from cluster.local.stack import Stack
from pipelines import topics
from pipelines.archive.progress import archive_progress
from pipelines.control import Control, read_control, write_record
from pipelines.generation import wait_for_generation
from pipelines.kafka_clients import new_producer, producer_options
from pipelines.settings import Settings
from simulator.options import FleetOptions
from tests.conftest import running_stack
from tests.integration.archive_pipeline import (
    ArchiveInput,
    all_archived,
    archiving,
    committed_us,
    identity,
    new_archive,
    proved,
    spawn,
)
from tests.integration.counting_pipeline import wait_until
from tests.integration.run_archive_slot import STEPS

FLEET = FleetOptions(
    sensors=20,
    seconds=20,
    as_fast_as_possible=True,
    duplicates=0.02,
    bad_crc=0.02,
    reboot=0.1,
    future_clock=0.1,
)


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running_stack(("kafka", "s3")) as stack:
        yield stack


@pytest.fixture(scope="module")
def feed(stack: Stack) -> ArchiveInput:
    feed = ArchiveInput(stack.settings, "archive-feed")
    feed.write(FLEET)
    return feed


def test_a_folder_holds_every_row_of_the_six_topics(
    stack: Stack, feed: ArchiveInput, tmp_path: Path
) -> None:
    settings = new_archive(stack.settings, f"file://{tmp_path}")
    with archiving(settings):
        wait_until(lambda: all_archived(settings), "all archived", 60)
        wait_until(lambda: sum(p.lag for p in archive_progress(settings)) == 0, "no lag at all", 60)
    compared = proved(settings)
    assert compared.keys() == set(topics.SINKS[topics.ARCHIVE])
    assert min(compared.values()) > 0
    assert compared[topics.TRANSFORMED] == compared[topics.PREDICTIONS] > 10_000


def test_a_folder_goes_on_where_it_stopped_and_by_slots_of_a_new_generation(
    stack: Stack, feed: ArchiveInput, tmp_path: Path
) -> None:
    settings = new_archive(stack.settings, f"file://{tmp_path}")
    with archiving(settings):
        wait_until(lambda: all_archived(settings), "all archived", 60)
    feed.write(FleetOptions(sensors=20, seconds=3, as_fast_as_possible=True, sensor_prefix="later"))
    with archiving(settings, identity(2, 0, 2)), archiving(settings, identity(2, 1, 2)):
        wait_until(lambda: all_archived(settings), "all archived", 60)
    proved(settings)


def test_a_slot_is_killed_at_every_step_and_nothing_is_lost_or_doubled(
    stack: Stack, feed: ArchiveInput
) -> None:
    settings = new_archive(stack.settings, "s3://imustream/killed", max_rows=5_000)
    load = FleetOptions(sensors=20, as_fast_as_possible=True, seconds=3_600, sensor_prefix="killed")
    with feed.writing(load, pause_s=0.5):
        for step in STEPS:
            process = spawn(settings, step=step)
            assert process.wait(60) == -9, step
    with archiving(settings):
        wait_until(lambda: all_archived(settings), "all archived", 60)
    proved(settings)


@pytest.mark.slow
def test_a_slot_is_killed_again_and_again_under_load_and_nothing_is_lost_or_doubled(
    stack: Stack, feed: ArchiveInput
) -> None:
    settings = new_archive(stack.settings, "s3://imustream/anytime", max_rows=2_000)
    load = FleetOptions(sensors=20, as_fast_as_possible=True, seconds=3_600, sensor_prefix="any")
    with feed.writing(load, pause_s=0.5):
        for commits in (1, 3):
            times: set[int] = set()
            began_us = time.time_ns() // 1000
            process = spawn(settings)
            enough = partial(_committed, settings, commits, began_us, times)
            wait_until(enough, f"{commits} commits", 60)
            process.kill()
            process.wait(10)
    with archiving(settings):
        wait_until(lambda: all_archived(settings), "all archived", 60)
    proved(settings)


@pytest.mark.slow
def test_s3_is_away_for_a_while_and_nothing_is_lost_or_doubled(
    stack: Stack, feed: ArchiveInput
) -> None:
    settings = new_archive(stack.settings, "s3://imustream/away", max_rows=5_000)
    load = FleetOptions(sensors=20, as_fast_as_possible=True, seconds=3_600, sensor_prefix="away")
    with archiving(settings) as loop:
        with feed.writing(load, pause_s=0.5):
            wait_until(lambda: loop.status.last_commit_us > 0, "a first commit")
            stack.stop("s3")
            try:
                wait_until(lambda: loop.status.runs > 3, "some runs without S3", 60)
                assert loop.status.phase == "retrying"
            finally:
                stack.start("s3")
            wait_until(lambda: loop.status.phase == "running", "a run with S3", 30)
        wait_until(lambda: all_archived(settings), "all archived", 60)
    proved(settings)


def test_an_archive_without_its_marks_stops_with_words_rather_than_doubling(
    stack: Stack, feed: ArchiveInput, tmp_path: Path
) -> None:
    settings = new_archive(stack.settings, f"file://{tmp_path}")
    with archiving(settings):
        wait_until(lambda: all_archived(settings), "all archived", 60)
    settings = new_archive(settings, f"file://{tmp_path}")
    with archiving(settings) as loop:
        wait_until(lambda: loop.status.phase == "stopped", "it stops")
    assert "set archive.url to a new place" in loop.status.detail


def test_the_slots_of_a_generation_are_seen_as_soon_as_they_run(
    stack: Stack, feed: ArchiveInput, tmp_path: Path
) -> None:
    settings = new_archive(stack.settings, f"file://{tmp_path}", max_staleness_s=300.0)
    wanted = Control(topics.ARCHIVE, slots=2, paused=False, generation=7, running_slots=2)
    write_record(settings.kafka, wanted)
    with archiving(settings, identity(7, 0, 2)), archiving(settings, identity(7, 1, 2)):
        progress = wait_for_generation(settings, topics.ARCHIVE, 30, lambda _progress: None)
    assert progress.partitions == topics.PARTITIONS


def test_a_record_that_cannot_be_read_stops_the_archive_and_is_named(
    stack: Stack, feed: ArchiveInput, tmp_path: Path
) -> None:
    settings = new_archive(stack.settings, f"file://{tmp_path}")
    producer = new_producer(producer_options(settings.kafka, "foreign"))
    producer.produce(topics.AGGREGATED, key=b"a", value=b'{"kind": "odd"}', partition=4)
    assert producer.flush(10) == 0
    with archiving(settings, identity(7)) as loop:
        wait_until(lambda: loop.status.phase == "stopped", "it stops")
    assert "sensor-data-aggregated/4/" in loop.status.detail
    assert "cannot be archived" in loop.status.detail
    alarms = read_control(settings.kafka).alarms
    assert "cannot be archived" in alarms[(topics.ARCHIVE, 0)].message


def _committed(settings: Settings, times: int, since_us: int, seen: set[int]) -> bool:
    """Whether marks have been committed at so many times, noted in ``seen`` as they show."""
    seen |= {at_us for at_us in committed_us(settings) if at_us > since_us}
    return len(seen) >= times
