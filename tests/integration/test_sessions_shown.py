"""Sessions as people are shown them: over REST and on the command line, from the real database."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from cluster.local.settings_environment import without_settings
from cluster.local.stack import Stack
from cluster.setup.paths import ROOT
from pipelines.settings import Settings
from pipelines.sinks.session_documents import SESSIONS, SessionEvent, read_event, session_update
from pipelines.sinks.session_store import SessionStore
from serve.label_store import COLLECTION, LabelStore
from serve.mongo import mongo_client
from serve.principal import Principal, Role
from serve.problems import report_problems
from serve.session_reader import SessionReader
from serve.sessions import session_routes
from tests.integration.rest_world import as_principal
from tests.session_events import START_US, session_event

UNUSUAL = "Ärmel 7?&%"
"""A sensor whose id must be quoted in an address."""


def _event(*arguments: Any, **changes: Any) -> SessionEvent:
    fields = session_event(*arguments, **changes)
    return read_event(fields["sensor_id"].encode(), json.dumps(fields).encode())


@pytest.fixture(scope="module")
def settings(servers: Stack) -> Settings:
    """Settings of a database that holds 23 sessions of 4 sensors, 20 of them closed."""
    chosen = servers.settings.model_copy(deep=True)
    chosen.mongo.database = "sessions_shown"
    store = SessionStore(chosen)
    store.prepare()
    events = [_event(f"s{n % 2}", 3, n, "closed") for n in range(20)]
    events += [_event("s0", 2, 30), _event("s2", 2, 30), _event(UNUSUAL, 2, 5)]
    assert store.write(SESSIONS, [session_update(event) for event in events]) == {}
    store.close()
    return chosen


@pytest.fixture(scope="module")
def client(settings: Settings) -> Iterator[TestClient]:
    app = FastAPI()
    report_problems(app)
    app.include_router(session_routes(SessionReader(settings.mongo)))
    everybody = Principal("tests", Role.VIEWER, None, 2e9)
    with TestClient(as_principal(app, everybody)) as client:
        yield client


def listed(client: TestClient, **query: Any) -> dict[str, Any]:
    answer = client.get("/api/v1/sessions", params=query)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_the_session_that_started_last_comes_first(client: TestClient) -> None:
    body = listed(client)
    starts = [session["start_us"] for session in body["sessions"]]
    assert len(starts) == 23 and starts == sorted(starts, reverse=True)
    assert body["next_cursor"] is None
    assert body["sessions"][0] == session_event("s2", 2, 30)


def test_sessions_are_filtered_by_sensor_state_and_start(client: TestClient) -> None:
    assert len(listed(client, sensor="s0")["sessions"]) == 11
    assert len(listed(client, sensor="s0", state="open")["sessions"]) == 1
    assert len(listed(client, state="closed")["sessions"]) == 20
    assert len(listed(client, sensor=UNUSUAL)["sessions"]) == 1
    since_us = START_US + 10 * 3_600_000_000
    assert len(listed(client, since_us=since_us)["sessions"]) == 12
    assert listed(client, sensor="nobody") == {
        "sessions": [],
        "next_cursor": None,
    }


@pytest.mark.parametrize("limit", [1, 7, 22, 23])
def test_the_pages_hold_every_session_once_in_order(client: TestClient, limit: int) -> None:
    whole = [session["session_id"] for session in listed(client)["sessions"]]
    found: list[str] = []
    cursor = None
    while True:
        page = listed(client, limit=limit, **({"cursor": cursor} if cursor else {}))
        assert len(page["sessions"]) <= limit
        found += [session["session_id"] for session in page["sessions"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == whole


def test_one_session_is_shown_by_its_id_and_a_missing_one_is_a_problem(client: TestClient) -> None:
    fields = session_event(UNUSUAL, 2, 5)
    address = client.base_url.join("/api/v1/sessions/").raw_path.decode()
    answer = client.get(address + "%C3%84rmel%207%3F%26%25_" + str(fields["start_us"]))
    assert answer.json() == fields
    missing = client.get("/api/v1/sessions/nobody_1")
    assert missing.status_code == 404
    assert missing.headers["content-type"] == "application/problem+json"
    assert "nobody_1" in missing.json()["detail"]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"cursor": "!"}, "cursor"),
        ({"cursor": "W10"}, "cursor"),
        ({"cursor": "x" * 2_000}, "cursor"),
        ({"limit": 0}, "limit"),
        ({"limit": 501}, "limit"),
        ({"state": "asleep"}, "state"),
        ({"since_us": "yesterday"}, "since_us"),
    ],
)
def test_a_query_that_makes_no_sense_is_a_problem_that_names_it(
    client: TestClient, query: dict[str, Any], says: str
) -> None:
    answer = client.get("/api/v1/sessions", params=query)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert says in answer.json()["detail"]


def imustream(settings: Settings, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {
        **without_settings(dict(os.environ)),
        "IMUSTREAM_MONGO__URI": settings.mongo.uri.get_secret_value(),
        "IMUSTREAM_MONGO__DATABASE": settings.mongo.database,
        "COLUMNS": "200",
    }
    command = [sys.executable, "-m", "cluster.cli", "sessions", *arguments]
    return subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_the_command_lists_sessions_and_shows_one(settings: Settings) -> None:
    table = imustream(settings, "list", "--sensor", "s0", "--limit", "4").stdout
    assert "Started" in table and table.count("\n") >= 5 and "--cursor" in table
    found = json.loads(imustream(settings, "list", "--state", "open", "--json").stdout)
    assert {session["sensor_id"] for session in found["sessions"]} == {"s0", "s2", UNUSUAL}
    since = imustream(settings, "list", "--since", "2025-10-10T06:53:20", "--json").stdout
    assert all(session["start_us"] >= START_US for session in json.loads(since)["sessions"])
    fields = session_event("s2", 2, 30)
    shown = imustream(settings, "show", fields["session_id"], "--json")
    assert json.loads(shown.stdout) == fields
    assert "lasted" in imustream(settings, "show", fields["session_id"]).stdout


def test_the_command_says_in_one_line_what_is_wrong(settings: Settings) -> None:
    missing = imustream(settings, "show", "nobody_1")
    assert (missing.returncode, missing.stderr.count("\n")) == (2, 1)
    assert "nobody_1" in missing.stderr
    since = imustream(settings, "list", "--since", "soon")
    assert since.returncode == 2 and "--since 'soon'" in since.stderr


async def _labels_and_seconds(settings: Settings) -> tuple[object, bool]:
    """What is known of the sensors' labels, and whether that was said at once."""
    client = mongo_client(settings)
    store = LabelStore(client[settings.mongo.database][COLLECTION])
    began_s = time.monotonic()
    found = await store.all()
    at_once = time.monotonic() - began_s < 2
    await client.close()
    return found, at_once


def test_while_mongodb_is_away_the_answer_is_503_and_says_so(
    servers: Stack, settings: Settings, client: TestClient
) -> None:
    servers.stop("documentdb")
    try:
        for path in ("/api/v1/sessions", "/api/v1/sessions/s0_1"):
            answer = client.get(path)
            assert answer.status_code == 503
            assert answer.headers["content-type"] == "application/problem+json"
            assert "MongoDB does not give sessions" in answer.json()["detail"]
        assert asyncio.run(_labels_and_seconds(settings)) == (None, True)
    finally:
        servers.start("documentdb")
    assert len(listed(client)["sessions"]) == 23
