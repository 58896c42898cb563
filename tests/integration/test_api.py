"""`api` over real Kafka, MongoDB protocol, MQTT and Ray Serve: log-in, health, reports."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from live_records import GOLDEN, samples, transformed_record
from serve_clients import Pipeline, eventually, http, received, websocket

from cluster.local.stack import Stack
from pipelines import ledger
from pipelines.control import Alarm, Control, clear_alarm, write_record
from pipelines.operators.sensor_processing import SensorProcessing
from pipelines.partitioner import partition_of
from pipelines.records import InputBatch
from pipelines.settings import Settings
from serve.auth import COOKIE, new_login_code

SENSOR = "api-sensor"
PLACE = partition_of(SENSOR)
BROWSER = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture(scope="module")
def pipeline(serving: Settings) -> Iterator[Pipeline]:
    yield Pipeline(serving.kafka)


def test_without_a_log_in_only_liveness_is_told(serving: Settings) -> None:
    with http(serving, logged_in=False) as client:
        assert client.get("/health/live").json() == {"live": True}
        for path in ("/", "/health/ready", "/api/v1/sensors", "/openapi.json", "/docs", "/x"):
            answer = client.get(path)
            assert answer.status_code == 401, path
            assert answer.headers["content-type"] == "application/problem+json"
            assert "imustream link" in answer.json()["detail"]
        page = client.get("/", headers=BROWSER)
        assert page.status_code == 401
        assert page.headers["content-type"].startswith("text/html")
        assert "imustream link" in page.text


def test_a_code_logs_a_browser_in_once(serving: Settings) -> None:
    code = {"code": new_login_code(serving)}
    with http(serving, logged_in=False) as client:
        answer = client.get("/login", params=code)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        page = client.get("/", headers=BROWSER)
        assert page.status_code == 200
        assert "<html" in page.text
    with http(serving, logged_in=False) as other:
        again = other.get("/login", params=code)
        assert again.status_code == 401
        assert "used before" in again.text
        assert COOKIE not in other.cookies


@pytest.mark.parametrize("code", ["", "x", "eyJhbGciOiJub25lIn0.e30."])
def test_what_is_no_code_logs_nobody_in(serving: Settings, code: str) -> None:
    with http(serving, logged_in=False) as client:
        assert client.get("/login", params={"code": code}).status_code == 401
        assert COOKIE not in client.cookies


def test_a_code_is_kept_while_the_database_is_away(serving: Settings, servers: Stack) -> None:
    code = {"code": new_login_code(serving)}
    with http(serving, logged_in=False) as client:
        servers.stop("documentdb")
        try:
            answer = client.get("/login", params=code)
            assert answer.status_code == 503
            assert "MongoDB does not answer" in answer.text
            with http(serving) as operator:
                parts = operator.get("/health/ready").json()["parts"]
                assert not parts["mongodb"]["ready"]
        finally:
            servers.start("documentdb")
        eventually(
            lambda: client.get("/login", params=code).status_code == 303, "a log-in afterwards"
        )


def test_every_answer_carries_the_security_headers(serving: Settings) -> None:
    with http(serving) as client:
        for path in ("/", "/api/v1/sensors", "/nothing"):
            headers = client.get(path).headers
            assert "default-src 'self'" in headers["content-security-policy"]
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"


def test_the_openapi_page_describes_all_and_loads_nothing_from_afar(serving: Settings) -> None:
    with http(serving) as client:
        described = client.get("/openapi.json").json()["paths"]
        assert {"/health/live", "/health/ready", "/api/v1/sensors", "/api/v1/pipelines"} <= set(
            described
        )
        page = client.get("/docs").text
        loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
        assert len(loaded) >= 2
        for path in loaded:
            assert path.startswith("/")
            assert client.get(path).status_code == 200, path
        assert client.get("/vendor/uplot/uPlot.esm.js").status_code == 200


def test_what_is_not_there_is_a_problem(serving: Settings) -> None:
    with http(serving) as client:
        answer = client.get("/api/v1/nothing")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


def _state_after(*payloads: bytes) -> dict[bytes, bytes | None]:
    """Return the changelog records of sensor_processing after a sensor's payloads."""
    operator = SensorProcessing(Settings().processing)
    state = operator.new_state(PLACE)
    batch = InputBatch(
        keys=[SENSOR.encode()] * len(payloads),
        values=payloads,
        offsets=np.arange(len(payloads)),
        received_us=np.full(len(payloads), 1_760_000_000_000_000 + 600_000_000),
    )
    operator.step(state, batch)
    return dict(operator.changes(state))


def _ledger(samples_counted: int, next_offset: int) -> bytes:
    counts = {"records": samples_counted // 64, "samples": samples_counted}
    record = ledger.Ledger(
        pipeline="sensor-processing",
        partition=PLACE,
        generation=1,
        slot=0,
        next_offset=next_offset,
        snapshot_offset=0,
        committed_us=1_760_000_000_000_000,
        code_version="test",
        counts=counts,
    )
    return ledger.encode(record)


def _sensor(serving: Settings) -> dict[str, Any] | None:
    with http(serving) as client:
        sensors = client.get("/api/v1/sensors").json()["sensors"]
    return next((each for each in sensors if each["sensor_id"] == SENSOR), None)


def _report(serving: Settings, name: str = "sensor-processing") -> dict[str, Any]:
    with http(serving) as client:
        reports = client.get("/api/v1/pipelines").json()["pipelines"]
    return {report["name"]: report for report in reports}[name]  # type: ignore[no-any-return]


def test_a_sensor_appears_with_its_counts_and_is_gone_when_forgotten(
    serving: Settings, pipeline: Pipeline
) -> None:
    payload = bytes.fromhex(GOLDEN[1]["payload_hex"])
    with pipeline.transaction():
        for key, value in _state_after(payload, payload).items():
            pipeline.state(PLACE, key, value)
    eventually(lambda: _sensor(serving) is not None, "the sensor")
    sensor = _sensor(serving)
    assert sensor is not None
    assert sensor["partition"] == PLACE
    assert sensor["state"] == "live"
    assert sensor["samples"] == 64
    assert sensor["duplicates"] == 1
    with pipeline.transaction():
        pipeline.state(PLACE, b"s/" + SENSOR.encode(), None)
    eventually(lambda: _sensor(serving) is None, "the sensor's end")


def test_a_pipelines_rates_and_lag_follow_its_ledger(serving: Settings, pipeline: Pipeline) -> None:
    with pipeline.transaction():
        pipeline.state(PLACE, b"ledger", _ledger(0, next_offset=0))
    eventually(
        lambda: any(each["partition"] == PLACE for each in _report(serving)["partitions"]),
        "the ledger",
    )
    with pipeline.transaction():
        pipeline.raw(SENSOR, b"a payload", 1)
        pipeline.raw(SENSOR, b"another", 2)
    counted = 0

    def rate() -> bool:
        nonlocal counted
        counted += 64_000
        with pipeline.transaction():
            pipeline.state(PLACE, b"ledger", _ledger(counted, next_offset=0))
        return bool(_report(serving)["samples_per_s"] > 0)

    eventually(rate, "a rate")

    def lag() -> int:
        report = _report(serving)
        place = next(each for each in report["partitions"] if each["partition"] == PLACE)
        assert place["lag"] == place["end_offset"]
        assert report["lag"] >= place["lag"]
        return int(place["lag"])

    eventually(lambda: lag() >= 2, "the lag")


def test_alarms_and_wishes_in_pipeline_control_are_reported(
    serving: Settings, pipeline: Pipeline
) -> None:
    control = Control(
        pipeline="sensor-processing", slots=3, generation=7, paused=True, running_slots=3
    )
    alarm = Alarm("sensor-processing", 2, 7, "half of all sensors fail", 1)
    write_record(serving.kafka, control)
    write_record(serving.kafka, alarm)
    try:
        eventually(lambda: _report(serving)["state"] == "stopped", "the alarm")
        report = _report(serving)
        assert (report["slots"], report["generation"]) == (3, 7)
        assert report["alarm"] == "slot 2: half of all sensors fail"
        with http(serving) as client:
            answer = client.get("/health/ready")
        assert answer.status_code == 503
        part = answer.json()["parts"]["sensor-processing"]
        assert part == {"ready": False, "detail": "stopped: slot 2: half of all sensors fail"}
    finally:
        clear_alarm(serving.kafka, alarm)
        with pipeline.transaction():
            pipeline.forget_control(control.pipeline)
    eventually(lambda: _report(serving)["alarm"] is None, "the alarm's end")


def test_while_kafka_is_away_clients_stay_and_go_on_where_they_were(
    serving: Settings, servers: Stack, pipeline: Pipeline
) -> None:
    def write(first: int) -> None:
        with pipeline.transaction():
            pipeline.transformed(SENSOR, transformed_record([samples(SENSOR, first, 2)]))

    with websocket(serving, "transformed", SENSOR) as stream, http(serving) as client:
        write(0)
        assert received(stream)["columns"]["sample_index"] == [0, 1]
        servers.stop("kafka")
        try:
            parts = client.get("/health/ready").json()["parts"]
            assert not parts["kafka"]["ready"]
            assert "does not answer" in parts["kafka"]["detail"]
            assert parts["mqtt"]["ready"]
            assert client.get("/api/v1/sensors").status_code == 200
        finally:
            servers.start("kafka")
        write(2)
        message = received(stream)
        assert message["columns"]["sample_index"] == [2, 3]
        assert (message["seq"], message["dropped"]) == (1, 0)
        eventually(lambda: client.get("/health/ready").json()["parts"]["kafka"]["ready"], "Kafka")
