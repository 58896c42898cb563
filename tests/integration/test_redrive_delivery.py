"""Letters go through again, once each, though the slot is killed on the way."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send
from topic_reader import wait_until
from typer.testing import CliRunner, Result

from cluster.cli import build_app
from cluster.local.settings_environment import child_environment, settings_environment
from cluster.setup.paths import ROOT
from pipelines import topics
from pipelines.admin import create_topics
from pipelines.compacted import reader
from pipelines.kafka_clients import new_producer, producer_options, watermarks
from pipelines.pipeline_lag import behind, end_offsets, inputs_of
from pipelines.redrive.choice import LetterChoice
from pipelines.redrive.letter_reader import LetterReader, read_redriven
from pipelines.redrive.receipt import is_receipt
from pipelines.redrive.redrive import redrive
from pipelines.settings import Settings
from pipelines.verify import verify
from pipelines.verify.result import VerifyResult
from serve.dead_letters import dead_letter_routes
from serve.principal import SCOPE_KEY, Principal, Role
from serve.problems import report_problems
from tests.conftest import running_stack
from tests.unit.frame_building import START_US, TICK, frame_on_time

PIPELINE = "sensor-processing"
SENSORS = 6
FRAMES = 100
PERIOD_US = 320_000
HOUR_US = 3_600_000_000


@pytest.fixture(scope="module")
def settings() -> Iterator[Settings]:
    """A Kafka of its own, and settings that allow a device's clock no lead of an hour."""
    with running_stack(("kafka",), processing={"max_future_s": 60}) as stack:
        create_topics(stack.settings.kafka)
        yield stack.settings


def mended(settings: Settings) -> Settings:
    """The settings with that cause mended."""
    processing = settings.processing.model_copy(update={"max_future_s": 7_200.0})
    return settings.model_copy(update={"processing": processing})


class Feed:
    """Devices whose clocks are an hour ahead."""

    def __init__(self, settings: Settings) -> None:
        self._producer = new_producer(producer_options(settings.kafka, "feed"))

    def frames(self, first: int, end: int) -> None:
        """Send frames first to end of every sensor, and a tick a second."""
        for k in range(first, end):
            received_us = START_US + k * PERIOD_US
            payload = frame_on_time(64 * k, start_us=START_US + HOUR_US)
            for sensor in range(SENSORS):
                self._send(f"sensor{sensor}", payload, received_us)
            if k % 3 == 0:
                self.tick(received_us)
        assert self._producer.flush(30) == 0

    def junk(self) -> None:
        """Send what will never be a frame."""
        self._send("sensor0", b"no frame", START_US)
        assert self._producer.flush(30) == 0

    def tick(self, received_us: int) -> None:
        """Send a tick to every partition."""
        for partition in range(topics.PARTITIONS):
            self._producer.produce(
                topics.RAW, TICK, partition=partition, headers={"received-us": str(received_us)}
            )

    def _send(self, sensor: str, payload: bytes, received_us: int) -> None:
        self._producer.produce(
            topics.RAW, payload, sensor, headers={"received-us": str(received_us)}
        )
        self._producer.poll(0)


@contextmanager
def slot(settings: Settings) -> Iterator["subprocess.Popen[bytes]"]:
    """A slot that owns all partitions, in a process that SIGKILL ends with the block."""
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("run_processing_slot.py"))],
        env={**os.environ, **child_environment(settings, ROOT)},
        cwd=ROOT,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def imustream(settings: Settings, *arguments: str) -> Result:
    """Run the command line."""
    return CliRunner().invoke(build_app(), list(arguments), env=settings_environment(settings))


def proved(settings: Settings) -> VerifyResult:
    """What `imustream verify` says of the pipeline."""
    return verify(settings, stages=[PIPELINE])


def stepped(settings: Settings) -> bool:
    """Whether all input is behind the ledgers."""
    kafka = settings.kafka
    return not behind(kafka, PIPELINE, end_offsets(kafka, inputs_of(PIPELINE)))


@contextmanager
def receipts(settings: Settings) -> Iterator[Callable[[], bool]]:
    """A look whether a receipt has come since."""
    consumer = reader(settings.kafka, "receipts")
    ends = [watermarks(consumer, topics.DEAD_LETTERS, p)[1] for p in range(topics.PARTITIONS)]
    consumer.assign([TopicPartition(topics.DEAD_LETTERS, p, at) for p, at in enumerate(ends)])

    def arrived() -> bool:
        messages = consumer.consume(100, 0.05)
        headers: Any = [dict(m.headers() or ()) for m in messages if m.error() is None]
        return any(map(is_receipt, headers))

    try:
        yield arrived
    finally:
        consumer.close()


def count(settings: Settings) -> int:
    """How many letters were redriven, by the changelog."""
    return sum(map(len, read_redriven(settings.kafka).values()))


def test_letters_go_through_once_whatever_happens(settings: Settings, tmp_path: Path) -> None:
    feed = Feed(settings)
    feed.junk()
    feed.frames(0, FRAMES)
    with slot(settings):
        wait_until("all to be refused", lambda: stepped(settings))
    letters = SENSORS * FRAMES

    chosen = ("--reason", "implausible_timestamp")
    listed = json.loads(
        imustream(settings, "dead-letters", "list", *chosen, "--limit", "7", "--json").stdout
    )
    assert len(listed["dead_letters"]) == 7
    assert listed["next"] is not None
    place = "{partition}/{offset}".format(**listed["dead_letters"][0])
    shown = imustream(settings, "dead-letters", "show", place).stdout
    assert "a good frame of samples" in shown
    assert "us are allowed" in shown

    dry = imustream(settings, "redrive", *chosen, "--dry-run", "--json")
    assert json.loads(dry.stdout)["requested"] == letters
    # Nobody steps them yet: asked twice, the second time with the first one forgotten.
    for _ in range(2):
        asked = imustream(settings, "redrive", *chosen, "--no-wait", "--json")
        assert json.loads(asked.stdout)["pending"] == letters
    for _ in range(2):
        with receipts(settings) as arrived, slot(mended(settings)):
            wait_until("a letter to be redriven", arrived)
    assert 0 < count(settings) < letters

    feed.frames(FRAMES, FRAMES + 10)
    for _ in range(12):
        feed.tick(START_US + (FRAMES + 20) * PERIOD_US)
    with slot(mended(settings)):
        done = imustream(settings, "redrive", "--all", "--json", "--timeout", "60")
        report = json.loads(done.stdout)
        wait_until("all to be stepped", lambda: stepped(settings))
    # What the first asked for came before; the junk fails once more.
    assert (report["matched"], report["refusals"], report["pending"]) == (letters + 1, 0, 0)
    assert report["already"] + report["redriven"] == letters + 1

    found = proved(mended(settings))
    assert [str(d) for d in found.differences] == []
    assert (found.lost, found.doubled, found.wrong) == (0, 0, 0)
    assert sum(row.redriven for row in found.partitions) == letters + 1
    assert found.samples == 64 * SENSORS * (FRAMES + 10)

    imustream(settings, "dead-letters", "export", "--to", str(tmp_path), "--reason", "not_a_frame")
    lines = (tmp_path / "letters.jsonl").read_text().splitlines()
    assert [(tmp_path / json.loads(line)["file"]).read_bytes() for line in lines] == [
        b"no frame"
    ] * 2
    assert [json.loads(line)["redriven"] for line in lines] == [True, False]


def test_pages_give_every_letter_once_the_newest_first(settings: Settings) -> None:
    with LetterReader(settings.kafka) as letters:
        there = {(x.partition, x.offset) for x in letters.oldest_first(LetterChoice())}
        found, cursor = [], None
        while True:
            page = letters.page(LetterChoice(), 400, cursor)
            found += page.letters
            if (cursor := page.next) is None:
                break
    assert len(found) == len(there)
    assert {(x.partition, x.offset) for x in found} == there
    times = [letter.written_us for letter in found]
    assert times == sorted(times, reverse=True)


def test_what_cannot_be_redriven_is_refused_with_the_reason(settings: Settings) -> None:
    kafka = settings.kafka
    producer = new_producer(producer_options(kafka, "letters"))
    for pipeline in ("bridge", "ml-inference", "session-writer", "another"):
        headers = {"pipeline": pipeline, "reason": pipeline, "source": "imu/x"}
        producer.produce(topics.DEAD_LETTERS, b"?", "s", partition=1, headers=headers)
    assert producer.flush(30) == 0
    with LetterReader(kafka) as letters:
        chosen = [x for x in letters.oldest_first(LetterChoice()) if x.source_text == "imu/x"]
    report = redrive(kafka, chosen, read_redriven(kafka), wait_s=1)
    assert (report.matched, report.requested, report.refusals) == (4, 0, 4)
    for refusal, why in zip(
        report.refused,
        ("publish again", "backfill", "backfill", "no pipeline 'another'"),
        strict=True,
    ):
        assert why in refusal.why


class Doorkeeper:
    """Lets everybody in as one principal, as the gate does with a log-in."""

    def __init__(self, app: ASGIApp, principal: Principal) -> None:
        self._app = app
        self._principal = principal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[SCOPE_KEY] = self._principal
        await self._app(scope, receive, send)


def client(settings: Settings, role: Role, sensors: tuple[str, ...] | None = None) -> TestClient:
    """A client of the routes, logged in with this role and scope."""
    app = FastAPI()
    report_problems(app)
    app.include_router(dead_letter_routes(settings.kafka, lambda: read_redriven(settings.kafka)))
    app.add_middleware(Doorkeeper, principal=Principal("somebody", role, sensors, 2e9))
    return TestClient(app, raise_server_exceptions=False)


def test_the_api_shows_letters_and_redrives_none_twice(settings: Settings) -> None:
    api = client(settings, Role.OPERATOR)
    query = {"reason": "implausible_timestamp", "limit": 5}
    page = api.get("/api/v1/dead-letters", params=query).json()
    older = api.get("/api/v1/dead-letters", params=query | {"cursor": page["next_cursor"]}).json()
    places = [(x["partition"], x["offset"]) for x in page["dead_letters"] + older["dead_letters"]]
    assert len(set(places)) == 10
    assert page["reasons"]["implausible_timestamp"] >= 5
    first = page["dead_letters"][0]
    assert first["redriven"]
    place = f"/api/v1/dead-letters/{first['partition']}/{first['offset']}"
    shown = api.get(place).json()
    assert shown["headers"]["reason"] == "implausible_timestamp"
    assert api.get(place + "/payload").content.hex() == shown["payload_hex"]
    where = {"partition": first["partition"], "offset": first["offset"]}
    answer = api.post("/api/v1/dead-letters/redrive", json=where)
    assert (answer.status_code, answer.json()["already"]) == (202, 1)
    dry = {"reason": "not_a_frame", "dry_run": True}
    assert api.post("/api/v1/dead-letters/redrive", json=dry).json()["redriven"] == 1
    wrong = api.post("/api/v1/dead-letters/redrive", json={"partition": 1})
    assert wrong.status_code == 422
    assert api.get("/api/v1/dead-letters", params={"cursor": "x"}).status_code == 422


def test_the_api_shows_each_only_the_letters_of_their_sensors(settings: Settings) -> None:
    api = client(settings, Role.VIEWER, ("sensor0",))
    page = api.get("/api/v1/dead-letters", params={"limit": 300}).json()
    assert {letter["sensor_id"] for letter in page["dead_letters"]} == {"sensor0"}
    everything = client(settings, Role.VIEWER).get("/api/v1/dead-letters", params={"limit": 300})
    other = next(x for x in everything.json()["dead_letters"] if x["sensor_id"] != "sensor0")
    place = f"/api/v1/dead-letters/{other['partition']}/{other['offset']}"
    assert api.get(place).status_code == 404
    assert api.get(place + "/payload").status_code == 404
    assert api.post("/api/v1/dead-letters/redrive", json={"reason": "x"}).status_code == 403
