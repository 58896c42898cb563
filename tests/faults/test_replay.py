"""A replay of imu-data-all gives the same samples, windows and dead letters as the live run.

What the faults before it left in the topics is replayed too.
"""

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from confluent_kafka import Message

from cluster.chaos.load import load
from cluster.local.stack import Stack
from pipelines import topics
from pipelines.batching import group
from pipelines.compacted import reader, until_end
from pipelines.operators.sensor_processing import SensorProcessing
from pipelines.records import Output
from pipelines.transformed import SCHEMA

BATCH_RECORDS = 997
SENSORS = "sensor-processing"
PLAIN = SCHEMA.set(0, pa.field("sensor_id", pa.string(), nullable=False))


def records(stack: Stack, topic: str, partition: int) -> list[Message]:
    consumer = reader(stack.settings.kafka, "replay-test")
    try:
        return list(until_end(consumer, topic, [partition]))
    finally:
        consumer.close()


def replayed(stack: Stack, partition: int) -> list[Output]:
    operator = SensorProcessing(stack.settings.processing)
    state = operator.new_state(partition)
    messages = records(stack, topics.RAW, partition)
    outputs: list[Output] = []
    for start, end in pairwise([*range(0, len(messages), BATCH_RECORDS), len(messages)]):
        outputs += operator.step(state, group(messages[start:end])[partition])
    return outputs


def rows(values: Iterator[tuple[dict[str, Any], Any]]) -> pa.Table:
    tables = [
        pa.ipc.open_stream(value).read_all().cast(PLAIN)
        for headers, value in values
        if headers[topics.CONTENT_TYPE] == topics.ARROW_TYPE.encode()
    ]
    return pa.concat_tables(tables).combine_chunks()


def windows(values: Iterator[tuple[bytes | None, bytes]]) -> list[Any]:
    """The motion windows; those of the model come from another pipeline."""
    found = [json.loads(value) for key, value in values if key is not None]
    return [window for window in found if window["kind"] == "motion"]


@pytest.fixture(scope="module")
def loaded(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """The stack once a fleet with faults has gone through it."""
    with load(stack, "replay", tmp_path_factory.mktemp("load"), seconds=8.0) as running:
        assert running.prove([SENSORS]).ok
    return stack


@pytest.mark.parametrize("partition", [0, 9])
def test_a_replay_from_the_start_gives_what_the_live_run_gave(
    partition: int, loaded: Stack
) -> None:
    stack = loaded
    transformed = records(stack, topics.TRANSFORMED, partition)
    aggregated = records(stack, topics.AGGREGATED, partition)
    letters = records(stack, topics.DEAD_LETTERS, partition)
    again = replayed(stack, partition)
    assert rows((dict(m.headers() or ()), m.value()) for m in transformed).equals(
        rows((dict(o.headers), o.value) for o in again if o.topic == topics.TRANSFORMED)
    )
    live = windows((m.key(), m.value() or b"") for m in aggregated)
    replay = windows((o.key, o.value) for o in again if o.topic == topics.AGGREGATED)
    # Ticks go on between the two readings, and close the windows of sensors silent by then.
    assert live == replay[: len(live)]
    assert {w["closed_by"] for w in replay[len(live) :]} <= {"silence"}
    ours = [m for m in letters if dict(m.headers() or ())["pipeline"] == b"sensor-processing"]
    assert [m.value() for m in ours] == [
        bytes(o.value) for o in again if o.topic == topics.DEAD_LETTERS
    ]
