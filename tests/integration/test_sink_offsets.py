"""A sink's marks and its dead letters are committed together, by one instance alone."""

from collections.abc import Iterator

import pytest

from cluster.local.stack import Stack
from pipelines.admin import create_topics
from pipelines.compacted import reader, until_end
from pipelines.control import Control, write_record
from pipelines.errors import FencedError
from pipelines.owned_partition import SlotIdentity
from pipelines.records import Output
from pipelines.sinks.sink_offsets import Mark, Place, SinkOffsets, read_group_marks
from pipelines.topics import DEAD_LETTERS, SESSIONS

PLACES = [Place(SESSIONS, partition) for partition in (0, 3)]


@pytest.fixture
def pipeline(servers: Stack, request: pytest.FixtureRequest) -> str:
    create_topics(servers.settings.kafka)
    return str(request.node.name).removeprefix("test_")[:50]


@pytest.fixture
def offsets(servers: Stack, pipeline: str) -> Iterator[SinkOffsets]:
    opened = SinkOffsets(servers.settings, SlotIdentity(pipeline, 1, 0, 1, "test"))
    yield opened
    opened.close()


def mark(next_offset: int, intent_end: int | None = None, generation: int = 1) -> Mark:
    return Mark(next_offset, generation, 0, "test", intent_end, 5, {"records": next_offset})


def letters(stack: Stack, value: bytes) -> int:
    consumer = reader(stack.settings.kafka, "letters-test")
    try:
        return sum(m.value() == value for m in until_end(consumer, DEAD_LETTERS, range(10)))
    finally:
        consumer.close()


def test_marks_come_back_as_they_were_committed(
    servers: Stack, pipeline: str, offsets: SinkOffsets
) -> None:
    _, found = offsets.open(PLACES)
    assert found == {}
    committed = {PLACES[0]: mark(7, intent_end=12), PLACES[1]: mark(0)}
    offsets.commit(committed)
    assert read_group_marks(servers.settings.kafka, pipeline, PLACES) == committed


def test_a_predecessor_commits_neither_marks_nor_letters_once_its_successor_is_open(
    servers: Stack, pipeline: str, offsets: SinkOffsets
) -> None:
    offsets.open(PLACES)
    offsets.commit({PLACES[0]: mark(7)})
    successor = SinkOffsets(servers.settings, SlotIdentity(pipeline, 1, 0, 1, "test"))
    try:
        _, found = successor.open(PLACES)
        assert found == {PLACES[0]: mark(7)}
        letter = Output(DEAD_LETTERS, b"s", pipeline.encode(), ())
        with pytest.raises(FencedError, match="a newer instance has taken over"):
            offsets.commit({PLACES[0]: mark(9)}, [(3, letter)])
        successor.commit({PLACES[0]: mark(8)}, [(3, letter)])
    finally:
        successor.close()
    assert read_group_marks(servers.settings.kafka, pipeline, PLACES) == {PLACES[0]: mark(8)}
    assert letters(servers, pipeline.encode()) == 1


def test_a_sink_of_an_older_generation_does_not_open(
    servers: Stack, pipeline: str, offsets: SinkOffsets
) -> None:
    offsets.open(PLACES)
    offsets.commit({PLACES[0]: mark(7, generation=2)})
    older = SinkOffsets(servers.settings, SlotIdentity(pipeline, 1, 0, 1, "test"))
    with pytest.raises(FencedError, match="superseded by 2"):
        older.open(PLACES)
    older.close()
    write_record(servers.settings.kafka, Control(pipeline, 1, 3, False, running_slots=1))
    second = SinkOffsets(servers.settings, SlotIdentity(pipeline, 2, 0, 1, "test"))
    with pytest.raises(FencedError, match="superseded by 3"):
        second.open(PLACES)
    second.close()
