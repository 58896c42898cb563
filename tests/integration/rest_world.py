"""The API over real Kafka, MongoDB protocol, archive and model store, in this process.

One sensor has sent for a minute and a half: of the first minute the real archiver has written
files, the rest waits in Kafka. Its id has to be quoted in an address.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import orjson
import uvicorn
from confluent_kafka.admin import AdminClient
from pydantic import SecretStr
from serve_clients import Pipeline, bearer
from starlette.types import ASGIApp, Receive, Scope, Send

from cluster.local.ports import free_block
from pipelines import ledger, topics
from pipelines.admin import create_topics
from pipelines.control import Control, write_record
from pipelines.models.shipped import ensure_shipped
from pipelines.models.store import open_store
from pipelines.operators.sensor_processing import SensorProcessing
from pipelines.owned_partition import SlotIdentity
from pipelines.partitioner import partition_of
from pipelines.records import InputBatch
from pipelines.settings import ArchiveSettings, ModelStoreSettings, Settings
from pipelines.sinks.session_documents import SESSIONS, read_event, session_update
from pipelines.sinks.session_store import SessionStore
from pipelines.sinks.sink_offsets import Place, group_of, read_group_marks
from serve.api import api_app
from serve.observation import Observation
from serve.principal import SCOPE_KEY, Principal
from serve.signing_key import new_key_pem
from simulator.backlog import payloads
from simulator.options import FleetOptions
from tests.conftest import QUICK_TO_REFUSE
from tests.integration.archive_pipeline import ArchiveInput, archiving
from tests.integration.counting_pipeline import wait_until
from tests.session_events import session_event

SENSOR = "Ärmel 7&%-1"
PLACE = partition_of(SENSOR)
RATE_HZ = 200
ARCHIVED_S = 64
WAITING_S = 32
"""Whole frames of 64 samples."""
START_US = 1_767_225_600_000_000 - 40_000_000
"""Forty seconds before an hour: the archive's rows lie in two of its folders."""
END_US = START_US + (ARCHIVED_S + WAITING_S) * 1_000_000
SESSION_ID = f"{SENSOR}_{START_US}"
_DATA = (topics.TRANSFORMED, topics.AGGREGATED, topics.PREDICTIONS)
_START_S = 15.0


def quoted(text: str) -> str:
    """Return a text as a part of a path."""
    return quote(text, safe="")


@contextmanager
def rest_world(base: Settings, folder: Path) -> Iterator[Settings]:
    """Write all that the API is asked for; yields its settings."""
    settings = base.model_copy(deep=True)
    settings.mongo.database = "rest"
    settings.archive = ArchiveSettings(url=f"file://{folder}/archive", max_staleness_s=0.5)
    settings.models = ModelStoreSettings(url=f"file://{folder}/models")
    settings.auth.signing_key = SecretStr(new_key_pem())
    settings.serve = settings.serve.model_copy(update=QUICK_TO_REFUSE)
    create_topics(settings.kafka)
    ensure_shipped(open_store(settings))
    feed = ArchiveInput(settings, "rest-feed")
    _feed(feed, START_US, ARCHIVED_S)
    _archive(settings)
    _feed(feed, START_US + ARCHIVED_S * 1_000_000, WAITING_S)
    _write_session(settings)
    pipeline = Pipeline(settings.kafka)
    with pipeline.transaction():
        for key, value in _state().items():
            pipeline.state(PLACE, key, value)
        pipeline.state(PLACE, b"ledger", _ledger())
    control = Control("sensor-processing", slots=1, generation=1, paused=False, running_slots=1)
    write_record(settings.kafka, control)
    try:
        yield settings
    finally:
        with pipeline.transaction():
            pipeline.state(PLACE, b"s/" + SENSOR.encode(), None)
            pipeline.forget_control("sensor-processing")
        _forget_archive(settings)


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """The application on a port of its own; yields its address."""
    port = free_block(1)
    server = uvicorn.Server(
        uvicorn.Config(
            app, "127.0.0.1", port, log_level="critical", timeout_graceful_shutdown=1, ws="none"
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline_s = time.monotonic() + _START_S
    while not server.started:
        assert thread.is_alive() and time.monotonic() < deadline_s, "the server does not start"
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(_START_S)


@contextmanager
def api_of(settings: Settings) -> Iterator[tuple[str, dict[str, str]]]:
    """The whole API; yields its address and the header of a log-in."""
    with served(api_app(settings, Observation(settings), {})) as address:
        yield address, bearer(settings)


def as_principal(app: ASGIApp, principal: Principal) -> ASGIApp:
    """Return the application as somebody asks it whom a gate has let in."""

    async def asked(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, SCOPE_KEY: principal}, receive, send)

    return asked


def _feed(feed: ArchiveInput, start_us: int, seconds: int) -> None:
    fleet = FleetOptions(
        sensors=1,
        seconds=seconds,
        start_us=start_us,
        as_fast_as_possible=True,
        sensor_prefix=SENSOR.removesuffix("1"),
    )
    feed.write_payloads(list(payloads(fleet)))


def _archive(settings: Settings) -> None:
    places = [Place(topic, PLACE) for topic in _DATA]
    rows = ARCHIVED_S * RATE_HZ
    # The last windows are open still.
    wanted = {topics.TRANSFORMED: rows, topics.PREDICTIONS: rows, topics.AGGREGATED: 25}

    def archived() -> bool:
        marks = read_group_marks(settings.kafka, topics.ARCHIVE, places)
        return all(
            place in marks and marks[place].counts.get("rows", 0) >= wanted[place.topic]
            for place in places
        )

    slot = SlotIdentity(topics.ARCHIVE, 1, PLACE, topics.PARTITIONS, "test")
    with archiving(settings, slot):
        wait_until(archived, "the archive of the first minute")


def _forget_archive(settings: Settings) -> None:
    admin = AdminClient({"bootstrap.servers": settings.kafka.bootstrap_servers})
    group = group_of(topics.ARCHIVE)
    admin.delete_consumer_groups([group])[group].result(10)


def _write_session(settings: Settings) -> None:
    fields: dict[str, Any] = session_event(
        SENSOR, 3, session_id=SESSION_ID, start_us=START_US, end_us=END_US
    )
    others = [session_event(f"other-{number % 3}", 3, number, "closed") for number in range(7)]
    store = SessionStore(settings)
    store.prepare()
    events = [
        read_event(each["sensor_id"].encode(), orjson.dumps(each)) for each in (fields, *others)
    ]
    assert store.write(SESSIONS, [session_update(event) for event in events]) == {}
    store.close()


def _state() -> dict[bytes, bytes | None]:
    """The changelog records of sensor_processing after a second of the sensor."""
    fleet = FleetOptions(
        sensors=1,
        seconds=1,
        start_us=START_US,
        as_fast_as_possible=True,
        sensor_prefix=SENSOR.removesuffix("1"),
    )
    sent = list(payloads(fleet))
    operator = SensorProcessing(Settings().processing)
    state = operator.new_state(PLACE)
    batch = InputBatch(
        [each.sensor_id.encode() for each in sent],
        [each.payload for each in sent],
        np.arange(len(sent)),
        np.array([each.time_us for each in sent], np.int64),
    )
    operator.step(state, batch)
    return dict(operator.changes(state))


def _ledger() -> bytes:
    counts = {"records": 10, "frames": 9, "transformed": 7, "duplicates": 1, "heartbeats": 1}
    record = ledger.Ledger("sensor-processing", PLACE, 1, 0, 10, 10, 1, "test", counts)
    return ledger.encode(record)
