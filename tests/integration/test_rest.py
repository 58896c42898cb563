"""The REST API as programs and the dashboard use it, over real servers."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import hypothesis
import numpy as np
import pytest
import schemathesis
from fastapi import FastAPI
from fastapi.testclient import TestClient
from schemathesis.specs.openapi import checks
from serve_clients import eventually

from cluster.local.stack import Stack
from pipelines.archive.object_store import open_store as open_archive
from pipelines.control import read_control
from pipelines.models.promotion import promote
from pipelines.models.store import open_store
from pipelines.settings import Settings
from serve.history.reader import HistoryReader
from serve.history.replay import Replay
from serve.history.routes import history_routes
from serve.observation import Observation
from serve.principal import Principal, Role
from serve.problems import report_problems
from serve.session_reader import SessionReader
from serve.sessions import session_routes
from tests.integration.rest_world import (
    ARCHIVED_S,
    END_US,
    PLACE,
    RATE_HZ,
    SENSOR,
    SESSION_ID,
    START_US,
    WAITING_S,
    api_of,
    as_principal,
    quoted,
    rest_world,
)
from tests.small_model import small_model_files

SENSORS = "/api/v1/sensors"
ONE = f"{SENSORS}/{quoted(SENSOR)}"
SESSION = f"/api/v1/sessions/{quoted(SESSION_ID)}"
ROWS = (ARCHIVED_S + WAITING_S) * RATE_HZ
THIRD_US = (END_US - START_US) // 3
PIPELINE = "sensor-processing"
PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def world(servers: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with rest_world(servers.settings, tmp_path_factory.mktemp("rest")) as settings:
        yield settings


@pytest.fixture(scope="module")
def address(world: Settings) -> Iterator[tuple[str, dict[str, str]]]:
    with api_of(world) as found:
        yield found


@pytest.fixture(scope="module")
def client(address: tuple[str, dict[str, str]]) -> Iterator[httpx.Client]:
    base_url, headers = address
    with httpx.Client(base_url=base_url, headers=headers, timeout=20) as client:
        eventually(lambda: client.get(ONE).status_code == 200, "the sensor")
        yield client


def got(client: httpx.Client, path: str, **query: Any) -> dict[str, Any]:
    answer = client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def refused(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM), answer.text
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["type"] and body["title"] and body["detail"]
    assert body["instance"].startswith("/")
    return body


def test_a_sensor_is_found_by_its_id_whatever_letters_it_has(client: httpx.Client) -> None:
    sensor = got(client, ONE)
    assert (sensor["sensor_id"], sensor["partition"]) == (SENSOR, PLACE)
    assert sensor["samples"] > 0 and sensor["labels"] == {}
    listed = got(client, SENSORS, q="ärmel 7")
    assert [each["sensor_id"] for each in listed["sensors"]] == [SENSOR]
    assert listed["next_cursor"] is None and listed["labels_known"]
    assert got(client, SENSORS, q="nobody")["sensors"] == []
    assert "'a?b'" in refused(client.get(f"{SENSORS}/a%3Fb"), 404)["detail"]


@pytest.mark.parametrize(
    "tricky", ["..%2f..%2fetc", "%2e%2e%2fmodels", "a%2Fb", "%00", "a+b", "%23"]
)
def test_tricks_in_the_path_of_a_sensor_are_refused(client: httpx.Client, tricky: str) -> None:
    answer = client.get(f"{SENSORS}/{tricky}")
    assert answer.status_code in (404, 422), answer.text
    refused(answer, answer.status_code)


def test_what_is_as_it_was_is_not_sent_again(client: httpx.Client) -> None:
    for path in (ONE, SESSION, "/api/v1/models/velocity"):
        tag = client.get(path).headers["etag"]
        again = client.get(path, headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b""), path
        assert client.get(path, headers={"If-None-Match": '"x"'}).status_code == 200


def test_labels_are_set_and_taken_away_and_a_crossing_change_is_refused(
    client: httpx.Client,
) -> None:
    first = client.patch(ONE, json={"labels": {"room": "gym", "a.b$%": "Ä", "wearer": "me"}})
    assert first.status_code == 200, first.text
    assert first.json()["labels"] == {"room": "gym", "a.b$%": "Ä", "wearer": "me"}
    tag = {"If-Match": first.headers["etag"]}
    second = client.patch(ONE, json={"labels": {"wearer": None, "room": "lab"}}, headers=tag)
    assert second.json()["labels"] == {"room": "lab", "a.b$%": "Ä"}
    refused(client.patch(ONE, json={"labels": {"room": "x"}}, headers=tag), 412)
    assert got(client, ONE)["labels"] == {"room": "lab", "a.b$%": "Ä"}
    (found,) = got(client, SENSORS, q="room=lab")["sensors"]
    assert found["labels"]["room"] == "lab"
    cleared = client.patch(ONE, json={"labels": {"room": None, "a.b$%": None}})
    assert cleared.json()["labels"] == {}


def test_a_faulty_change_of_labels_says_what_and_where(client: httpx.Client) -> None:
    many = {f"k{number}": "v" for number in range(33)}
    assert "at most 32" in refused(client.patch(ONE, json={"labels": many}), 422)["detail"]
    long = refused(client.patch(ONE, json={"labels": {"k": "v" * 257}}), 422)
    assert long["errors"][0]["pointer"] == "/labels"
    assert "256" in long["errors"][0]["detail"]
    number = refused(client.patch(ONE, json={"labels": {"a/b": 7}}), 422)
    assert number["errors"][0]["pointer"] == "/labels/a~1b"
    assert refused(client.patch(ONE, json={"label": {}}), 422)["errors"][0]["pointer"]
    refused(client.patch(ONE, content=b"{", headers={"content-type": "application/json"}), 422)
    refused(client.patch(f"{SENSORS}/nobody", json={"labels": {}}), 404)


def test_unknown_paths_and_methods_are_problems(client: httpx.Client) -> None:
    assert "/api/v1/nothing" in refused(client.get("/api/v1/nothing"), 404)["detail"]
    answer = client.delete(SENSORS)
    refused(answer, 405)
    assert answer.headers["allow"] == "GET"
    assert client.post(ONE).headers["allow"] == "GET, PATCH"
    query = refused(client.get(SENSORS, params={"limit": 0, "state": "odd"}), 422)
    assert [error["loc"] for error in query["errors"]] == [["query", "state"], ["query", "limit"]]


def test_sessions_are_found_by_when_they_took_place(client: httpx.Client) -> None:
    def ids(**query: Any) -> list[str]:
        return [each["session_id"] for each in got(client, "/api/v1/sessions", **query)["sessions"]]

    assert SESSION_ID in ids()
    assert ids(from_us=START_US, to_us=START_US + 1) == [SESSION_ID]
    assert ids(from_us=END_US - 1, to_us=END_US + 1_000_000) == [SESSION_ID]
    assert ids(from_us=END_US) == []
    assert SESSION_ID not in ids(to_us=START_US)
    page = got(client, "/api/v1/sessions", limit=3)
    rest = got(client, "/api/v1/sessions", cursor=page["next_cursor"])
    assert len(page["sessions"]) + len(rest["sessions"]) == 8
    assert refused(client.get("/api/v1/sessions", params={"cursor": "!"}), 422)


def test_a_sessions_samples_are_whole_across_archive_and_kafka_and_no_peak_is_lost(
    client: httpx.Client,
) -> None:
    every = got(client, f"{SESSION}/samples", points=10_000, columns=["accl_mag", "gyro_mag"])
    assert every["rows_total"] == ROWS
    assert every["complete"] and every["note"] is None
    assert every["method"] == "minmaxlttb"
    parts = [
        got(
            client, f"{SESSION}/samples", points=10_000,
            from_us=START_US + part * THIRD_US, to_us=START_US + (part + 1) * THIRD_US,
        )
        for part in range(3)
    ]  # fmt: skip
    assert [part["method"] for part in parts] == ["all"] * 3
    assert [part["rows_total"] for part in parts] == [ROWS // 3] * 3
    times = np.concatenate([part["columns"]["timestamp_us"] for part in parts])
    assert (np.diff(times) > 0).all() and len(times) == ROWS
    thin = got(client, f"{SESSION}/samples", points=200)
    assert len(thin["columns"]["timestamp_us"]) <= 200
    for name in thin["columns"].keys() - {"timestamp_us"}:
        whole = np.concatenate([part["columns"][name] for part in parts])
        assert max(thin["columns"][name]) == whole.max(), name
        assert min(thin["columns"][name]) == whole.min(), name


def test_a_sessions_windows_come_page_by_page_each_once(client: httpx.Client) -> None:
    whole = got(client, f"{SESSION}/windows")
    assert whole["complete"] and whole["next_cursor"] is None
    starts = [window["start_us"] for window in whole["windows"]]
    assert starts == sorted(starts) and starts[0] == START_US
    # The last window is open still: nothing came after it.
    assert sum(window["samples"] for window in whole["windows"]) >= ROWS - 5 * RATE_HZ
    found: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = got(client, f"{SESSION}/windows", limit=7, **cursor)
        found += page["windows"]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert found == whole["windows"]


def test_a_sessions_predictions_name_the_model_that_made_them(client: httpx.Client) -> None:
    body = got(client, f"{SESSION}/predictions", points=500)
    assert body["rows_total"] == ROWS and body["complete"]
    assert 250 <= len(body["columns"]["velocity"]) <= 500
    assert max(body["columns"]["moving_probability"]) == 1.0
    assert body["model"] == {"name": "velocity", "version": "1", "sha256": "0" * 64}
    refused(client.get("/api/v1/sessions/nobody_1/samples"), 404)
    refused(client.get(f"{SESSION}/samples", params={"points": 10_001}), 422)
    refused(client.get(f"{SESSION}/samples", params={"columns": "odd"}), 422)


def test_an_answer_that_would_cost_too_much_is_refused(world: Settings) -> None:
    bounded = world.model_copy(deep=True)
    bounded.history.max_rows = 5_000
    with (
        api_of(bounded) as (base_url, headers),
        httpx.Client(base_url=base_url, headers=headers, timeout=20) as client,
    ):
        eventually(lambda: client.get(ONE).status_code == 200, "the sensor")
        detail = refused(client.get(f"{SESSION}/samples"), 422)["detail"]
        assert "history.max_rows" in detail
        narrow = {"from_us": START_US, "to_us": START_US + 2_000_000}
        assert got(client, f"{SESSION}/windows", **narrow)["windows"]


def test_a_pipeline_is_paused_and_resumed_by_its_control_record(
    client: httpx.Client, world: Settings
) -> None:
    path = f"/api/v1/pipelines/{PIPELINE}"
    assert got(client, path)["name"] == PIPELINE
    paused = client.post(f"{path}/pause")
    assert (paused.status_code, paused.json()["paused"]) == (202, True)
    assert read_control(world.kafka).pipelines[PIPELINE].paused
    eventually(lambda: bool(got(client, path)["paused"]), "the pause")
    assert client.post(f"{path}/resume").json()["paused"] is False
    refused(client.post("/api/v1/pipelines/odd/pause"), 404)
    never = refused(client.post("/api/v1/pipelines/ml-inference/pause"), 409)
    assert "imustream up" in never["detail"]


def test_the_flow_names_every_stage_and_what_its_books_say(client: httpx.Client) -> None:
    stages = got(client, "/api/v1/flow")["stages"]
    assert [stage["name"] for stage in stages][:2] == ["bridge", "sensor-processing"]
    assert [stage["from"] for stage in stages if stage["to"] == "Parquet"] == [
        "imu-data-all", "sensor-data-transformed", "sensor-data-aggregated",
        "sensor-data-predictions", "new-session-topic", "dead-letters",
    ]  # fmt: skip
    processing = stages[1]
    assert (processing["lost"], processing["doubled"]) == (0, 0)
    assert stages[0]["counts"]["records"] > 0 and stages[0]["lag"] is None
    archived = next(stage for stage in stages if stage["from"] == "sensor-data-transformed"
                    and stage["to"] == "Parquet")  # fmt: skip
    assert archived["counts"].get("rows", 0) >= ARCHIVED_S * RATE_HZ


def test_a_version_is_promoted_and_rolled_back_by_whoever_saw_the_model_last(
    client: httpx.Client, world: Settings
) -> None:
    path = "/api/v1/models/velocity"
    before = client.get(path)
    shipped = before.json()["stable"]
    assert before.json()["versions"][0]["metrics"]["moving_accuracy"] > 0.9
    store = open_store(world)
    store.push("velocity", "9", small_model_files(version="9"))
    stale = {"If-Match": before.headers["etag"]}
    promotion = {"version": "9"}
    refused(client.post(f"{path}/promote", json=promotion, headers=stale), 412)
    fresh = {"If-Match": client.get(path).headers["etag"]}
    promoted = client.post(f"{path}/promote", json=promotion, headers=fresh)
    assert (promoted.json()["stable"], promoted.json()["previous"]) == ("9", shipped)
    assert store.channels("velocity").stable == "9"
    assert client.post(f"{path}/rollback").json()["stable"] == shipped
    refused(client.post(f"{path}/promote", json={"version": "77"}), 404)
    refused(client.post("/api/v1/models/odd/rollback"), 404)
    assert refused(client.post(f"{path}/promote", json={"version": "v2"}), 422)["errors"]
    assert [model["name"] for model in got(client, "/api/v1/models")["models"]] == ["velocity"]
    promote(store, "velocity", shipped, "stable")


def test_who_is_confined_to_some_sensors_sees_nothing_of_the_others(world: Settings) -> None:
    app = FastAPI()
    report_problems(app)
    observation, reader = Observation(world), SessionReader(world.mongo)
    app.include_router(session_routes(reader))
    history = HistoryReader(
        world.kafka, world.history, open_archive(world), observation.archived_below
    )
    app.include_router(history_routes(world.history, reader, Replay(history)))
    confined = Principal("guest", Role.VIEWER, ("other-?",), 2e9)
    with TestClient(as_principal(app, confined)) as client:
        sessions = client.get("/api/v1/sessions").json()["sessions"]
        assert {each["sensor_id"] for each in sessions} == {"other-0", "other-1", "other-2"}
        assert client.get("/api/v1/sessions", params={"sensor": SENSOR}).json()["sessions"] == []
        for path in (SESSION, f"{SESSION}/windows", f"{SESSION}/samples", f"{SESSION}/predictions"):
            assert client.get(path).status_code == 404, path


@pytest.fixture(scope="module")
def described(address: tuple[str, dict[str, str]], client: httpx.Client) -> Any:
    base_url, headers = address
    schema = schemathesis.openapi.from_url(f"{base_url}/openapi.json", headers=headers)
    return schema.include(path_regex="^/(api|health)/")


GET_EXAMPLES = 6
OTHER_EXAMPLES = 3
THERE = {
    "sensor_id": SENSOR,
    "session_id": SESSION_ID,
    "id": "nobody",
    "partition": 0,
    "offset": 0,
}
CONFORMANCE = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


@pytest.mark.filterwarnings("ignore")
def test_every_operation_answers_as_it_is_described(
    described: Any, address: tuple[str, dict[str, str]]
) -> None:
    """Whatever is sent: what the description allows, and what it does not."""
    statuses: Counter[int] = Counter()
    for found in described.get_all_operations():
        _try(found.ok(), address[1], statuses)
        _try_faults(found.ok(), address[1], statuses)
    assert min(statuses[200], statuses[404], statuses[422]) > 20, statuses


def _try(operation: Any, headers: dict[str, str], statuses: Counter[int]) -> None:
    @hypothesis.given(case=operation.as_strategy())
    @_bounded(operation)
    def answers(case: schemathesis.Case) -> None:
        statuses[_answered(case, headers)] += 1
        # Something is there too: an id that is made up names nothing.
        if case.path_parameters:
            there = {**THERE, "name": PIPELINE if "pipelines" in case.path else "velocity"}
            case.path_parameters = {name: there[name] for name in case.path_parameters}
            statuses[_answered(case, headers)] += 1

    answers()


def _try_faults(operation: Any, headers: dict[str, str], statuses: Counter[int]) -> None:
    negative = schemathesis.GenerationMode.NEGATIVE

    @hypothesis.given(case=operation.as_strategy(generation_mode=negative))
    @_bounded(operation)
    def answers(case: schemathesis.Case) -> None:
        statuses[_answered(case, headers)] += 1

    # An operation without parameters cannot be asked wrongly.
    with suppress(hypothesis.errors.Unsatisfiable):
        answers()


def _bounded(operation: Any) -> hypothesis.settings:
    return hypothesis.settings(
        max_examples=GET_EXAMPLES if operation.method == "get" else OTHER_EXAMPLES,
        derandomize=True,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )


def _answered(case: schemathesis.Case, headers: dict[str, str]) -> int:
    answer = case.call(headers=headers)
    # Whether every part runs is not asked here: /health/ready may say that some do not.
    assert answer.status_code < 500 or case.path == "/health/ready", answer.text
    case.validate_response(answer, checks=CONFORMANCE)
    return int(answer.status_code)
