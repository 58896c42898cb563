"""A slot delivers each record's outputs once, whatever ends it, and stops rather than lose any."""

import time
from collections.abc import Iterator

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from cluster.local.stack import Stack
from pipelines.control import Control, read_control, write_record
from pipelines.errors import FencedError
from pipelines.slot import Slot
from pipelines.transaction import Transactions
from tests.integration.counting_operator import FAULT_VALUE, STOP_VALUE, Counting
from tests.integration.counting_pipeline import CountingPipeline, wait_until


@pytest.fixture
def pipeline(servers: Stack, request: pytest.FixtureRequest) -> Iterator[CountingPipeline]:
    name = request.node.name.removeprefix("test_")[:60]
    yield CountingPipeline(servers.settings, name)


def test_outputs_are_complete_ordered_and_single_under_sigkill(
    pipeline: CountingPipeline,
) -> None:
    with pipeline.feeding():
        for _ in range(5):
            before = len(pipeline.records(pipeline.operator.output_topic))
            process = pipeline.spawn(pipeline.identity())
            try:
                wait_until(
                    lambda before=before: (  # type: ignore[misc]
                        len(pipeline.records(pipeline.operator.output_topic)) > before
                    ),
                    "the restarted slot commits",
                )
            finally:
                process.kill()
                process.wait()
    with pipeline.running(pipeline.identity()):
        pipeline.wait_until_all_committed()
    pipeline.assert_outputs_exact()


def test_a_slot_that_comes_back_after_kafka_was_away_loses_nothing(
    servers: Stack, pipeline: CountingPipeline
) -> None:
    pipeline.feed(500)
    with pipeline.running(pipeline.identity()) as loop:
        wait_until(lambda: loop.status.records > 0, "the slot runs")
        pipeline.feed(3_000)
        servers.stop("kafka")
        servers.start("kafka")
        servers.wait_for("kafka")
        pipeline.feed(500)
        pipeline.wait_until_all_committed()
        assert loop.status.phase == "running"
    pipeline.assert_outputs_exact()


def test_a_slot_whose_id_is_fenced_cannot_commit(pipeline: CountingPipeline) -> None:
    slot = Slot(pipeline.operator, pipeline.settings, pipeline.identity())
    slot.open()
    pipeline.feed(100)
    successor = Transactions(pipeline.settings.kafka, pipeline.identity().transactional_id, 30)
    successor.open()
    with pytest.raises(FencedError, match="a newer instance has taken over"):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            slot.turn(0.1)
    slot.close()
    successor.close()
    assert pipeline.records(pipeline.operator.output_topic) == []


def test_a_slot_of_a_superseded_generation_does_not_start(pipeline: CountingPipeline) -> None:
    record = Control(pipeline.operator.name, slots=2, generation=2, paused=False, running_slots=2)
    write_record(pipeline.settings.kafka, record)
    with pipeline.running(pipeline.identity(generation=1)) as loop:
        wait_until(lambda: loop.status.phase == "fenced", "the slot gives way")
    assert "superseded by 2" in loop.status.detail


def test_a_slot_does_not_start_where_a_newer_generation_has_committed(
    pipeline: CountingPipeline,
) -> None:
    pipeline.feed(100)
    with pipeline.running(pipeline.identity(generation=3)):
        pipeline.wait_until_all_committed()
    with pipeline.running(pipeline.identity(generation=2)) as loop:
        wait_until(lambda: loop.status.phase == "fenced", "the slot gives way")


def test_three_slots_own_the_partitions_between_them(pipeline: CountingPipeline) -> None:
    pipeline.feed(2_000)
    with (
        pipeline.running(pipeline.identity(slot=0, slots=3)),
        pipeline.running(pipeline.identity(slot=1, slots=3)),
        pipeline.running(pipeline.identity(slot=2, slots=3)),
    ):
        pipeline.wait_until_all_committed()
    pipeline.assert_outputs_exact()
    ledgers = [saved.ledger for saved in pipeline.saved().values() if saved.ledger]
    assert {ledger.slot for ledger in ledgers} == {0, 1, 2}
    assert all(ledger.slot == ledger.partition % 3 for ledger in ledgers)


def test_an_orderly_stop_leaves_nothing_to_replay(pipeline: CountingPipeline) -> None:
    pipeline.feed(1_000)
    with pipeline.running(pipeline.identity()):
        pipeline.wait_until_all_committed()
    for saved in pipeline.saved().values():
        assert saved.ledger is not None
        assert saved.ledger.snapshot_offset == saved.ledger.next_offset
        if saved.ledger.counts["records"]:
            assert saved.snapshot is not None
            assert saved.snapshot.offset == saved.ledger.next_offset
            assert saved.snapshot.counts == saved.ledger.counts


def test_records_deleted_before_they_were_read_stop_the_pipeline_with_an_alarm(
    pipeline: CountingPipeline,
) -> None:
    pipeline.feed(1_000)
    with pipeline.running(pipeline.identity()):
        pipeline.wait_until_all_committed()
    pipeline.feed(1_000)
    lost = TopicPartition(pipeline.operator.input_topic, 4, -1)
    admin = AdminClient({"bootstrap.servers": pipeline.settings.kafka.bootstrap_servers})
    admin.delete_records([lost])[lost].result(20)
    outputs = len(pipeline.records(pipeline.operator.output_topic))
    with pipeline.running(pipeline.identity()) as loop:
        wait_until(lambda: loop.status.phase == "stopped", "the slot stops")
    alarm = read_control(pipeline.settings.kafka).alarms[pipeline.operator.name, 0]
    assert f"{pipeline.operator.input_topic}/4" in alarm.message
    assert "records were deleted before it read them" in alarm.message
    assert len(pipeline.records(pipeline.operator.output_topic)) == outputs


def test_an_operator_that_stops_the_pipeline_commits_nothing_of_that_turn(
    pipeline: CountingPipeline,
) -> None:
    pipeline.feed(300)
    with pipeline.running(pipeline.identity()):
        pipeline.wait_until_all_committed()
    pipeline.feed(1, value=STOP_VALUE)
    with pipeline.running(pipeline.identity()) as loop:
        wait_until(lambda: loop.status.phase == "stopped", "the slot stops")
    assert loop.status.detail == "a test asked the pipeline to stop"
    assert not pipeline.all_committed()


def test_a_fault_in_the_code_raises_an_alarm_that_goes_when_the_slot_runs_well_again(
    pipeline: CountingPipeline,
) -> None:
    pipeline.feed(10)
    pipeline.feed(1, value=FAULT_VALUE)
    name, kafka = pipeline.operator.name, pipeline.settings.kafka
    with pipeline.running(pipeline.identity()) as loop:
        wait_until(lambda: loop.status.runs > 2, "the slot tries again")
        assert "ZeroDivisionError" in read_control(kafka).alarms[name, 0].message
    mended = Counting(name)
    mended.faults = False
    with pipeline.running(pipeline.identity(), mended):
        wait_until(lambda: (name, 0) not in read_control(kafka).alarms, "the alarm goes")
