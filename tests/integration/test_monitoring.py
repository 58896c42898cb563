"""A whole stack with Prometheus under load: all is measured, and each alert happens for real."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cluster.local.stack import Stack
from pipelines import topics
from pipelines.control import change_control
from pipelines.operators.sensor_processing import SensorProcessing
from pipelines.settings import Settings
from serve.label_store import COLLECTION, LabelStore
from serve.mongo import mongo_client
from tests.integration.serve_clients import http, websocket
from tests.monitoring import Prometheus, eventually, fleet, monitored_stack
from tests.short_rules import write_short_rules

pytestmark = pytest.mark.slow

_PROCESSING = SensorProcessing.name
_SENSORS = 40
_WATCHED = "watched-1"
_ALWAYS = {"ImustreamCertificateNearEnd", "ImustreamDiskNearlyFull"}
"""What fires from the beginning: a certificate that soon ends, every disk by a test's bound."""


def _soon_ends(file: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "soon")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=5))
        .sign(key, hashes.SHA256())
    )
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack under load, whose rules wait for seconds instead of minutes."""
    folder = tmp_path_factory.mktemp("monitoring")
    sections = {
        "archive": {"max_staleness_s": 1.0},
        "metrics": {"certificates": [str(_soon_ends(folder / "soon.pem"))]},
        "local": {"prometheus_rules": str(write_short_rules(folder / "rules"))},
    }
    with (
        monitored_stack(**sections) as stack,
        fleet(stack.settings, "--sensors", str(_SENSORS), "--sensor-prefix", "steady-"),
    ):
        yield stack


@pytest.fixture(scope="module")
def prometheus(stack: Stack) -> Prometheus:
    return Prometheus(stack.settings)


def fires(prometheus: Prometheus, alert: str, **labels: str) -> bool:
    wanted = {"alertname": alert, **labels}.items()
    return any(wanted <= found.items() for found in prometheus.firing())


def calm(prometheus: Prometheus) -> bool:
    return {found["alertname"] for found in prometheus.firing()} == _ALWAYS


@contextmanager
def made_to_fire(prometheus: Prometheus, *alerts: str, **labels: str) -> Iterator[None]:
    """After the block these fire; then the caller mends the cause."""
    eventually(lambda: calm(prometheus), 120, f"no alert fires: {prometheus.firing()}")
    yield
    for alert in alerts:
        eventually(lambda alert=alert: fires(prometheus, alert, **labels), 90, f"{alert} fires")


def paused(settings: Settings, pipeline: str, *, so: bool) -> None:
    change_control(settings.kafka, pipeline, paused=so)


def test_all_targets_are_up_and_only_what_must_fire_does(
    stack: Stack, prometheus: Prometheus
) -> None:
    eventually(
        lambda: set(prometheus.targets().values()) == {"up"},
        60,
        f"all targets are up: {prometheus.targets()}",
    )
    assert {target.split()[0] for target in prometheus.targets()} == {
        "imustream",
        "ray",
        "prometheus",
    }
    eventually(lambda: calm(prometheus), 120, "only the certificate and the disk are told of")
    assert all(rule["health"] == "ok" for rule in prometheus.rules())


def test_the_books_and_the_processes_say_the_same(stack: Stack, prometheus: Prometheus) -> None:
    rate = _SENSORS * stack.settings.processing.sample_rate_hz
    eventually(
        lambda: (
            0.9 * rate
            < (prometheus.value(f'imustream:samples:rate1m{{pipeline="{_PROCESSING}"}}') or 0)
            < 1.1 * rate
        ),
        90,
        "as many samples are counted as are sent",
    )
    assert prometheus.value("sum(imustream_unbalanced_records)") == 0
    eventually(
        lambda: prometheus.value("imustream:bridge_unaccounted:sum") == 0,
        20,
        "received = delivered + refused + returned + in flight",
    )
    # What the bridge says it delivered is what stands in the topic, ticks once a partition.
    assert (prometheus.value("sum(imustream_bridge_delivered_total)") or 0) > 100


def test_every_hop_of_a_sample_is_timed(stack: Stack, prometheus: Prometheus) -> None:
    with websocket(stack.settings, "transformed", "steady-1") as client:
        client.recv(timeout=20)
        for stage in ("kafka", "transformed", "websocket"):
            eventually(
                lambda stage=stage: prometheus.query(
                    f'imustream:latency_seconds:p99_1m{{stage="{stage}"}} < 60'
                ),
                30,
                f"the latency of {stage}",
            )
        eventually(
            lambda: prometheus.value("sum(imustream_live_clients)") == 1, 20, "one live client"
        )


def test_http_is_counted_by_route_and_not_by_path(stack: Stack, prometheus: Prometheus) -> None:
    with http(stack.settings) as client:
        for sensor in ("steady-1", "steady-2", "nobody"):
            client.get(f"/api/v1/sensors/{sensor}")
        client.get("/api/v1/no-such-thing")
        client.get("/some-file-of-the-page")
    routes = 'sum by (route, status) (imustream_http_requests_total{application="api"})'

    def counted() -> dict[tuple[str, str], float]:
        return {
            (one["metric"]["route"], one["metric"]["status"]): float(one["value"][1])
            for one in prometheus.query(routes)
        }

    known = "/api/v1/sensors/{sensor_id}"
    wanted = {(known, "200"): 2.0, (known, "404"): 1.0}.items()
    eventually(lambda: wanted <= counted().items(), 20, f"the requests: {counted()}")
    eventually(lambda: counted().get(("other", "404"), 0) >= 1, 20, "what no route takes")
    assert not any("no-such" in route or "some-file" in route for route, _ in counted())


def test_inference_is_counted_by_model_and_version(stack: Stack, prometheus: Prometheus) -> None:
    found = prometheus.query("sum by (model, version) (imustream_inference_sequences_total)")
    assert found and found[0]["metric"].keys() == {"model", "version"}


def test_a_pipeline_that_is_paused_under_load_falls_behind(
    stack: Stack, prometheus: Prometheus
) -> None:
    with made_to_fire(prometheus, "ImustreamLagGrows", pipeline=_PROCESSING):
        paused(stack.settings, _PROCESSING, so=True)
    paused(stack.settings, _PROCESSING, so=False)


def test_a_flood_of_wrong_checksums_is_told_of(stack: Stack, prometheus: Prometheus) -> None:
    flood = ("--sensors", "3", "--sensor-prefix", "flood-", "--bad-crc", "1")
    eventually(lambda: calm(prometheus), 120, "no alert fires")
    with (
        fleet(stack.settings, *flood),
        made_to_fire(prometheus, "ImustreamDeadLettersFlood", reason="crc_mismatch"),
    ):
        pass


def test_a_monitored_sensor_that_falls_silent_is_told_of(
    stack: Stack, prometheus: Prometheus
) -> None:
    async def label() -> None:
        mongo = mongo_client(stack.settings)
        store = LabelStore(mongo[stack.settings.mongo.database][COLLECTION])
        await store.change(_WATCHED, {"monitored": "true"}, lambda _: None)
        await mongo.close()

    one = ("--sensors", "1", "--sensor-prefix", "watched-")
    with fleet(stack.settings, *one):
        asyncio.run(label())
        seen = f'imustream_sensor_last_seen_timestamp_seconds{{sensor_id="{_WATCHED}"}} > 0'
        eventually(lambda: prometheus.query(seen), 60, "the sensor is seen")
        eventually(lambda: calm(prometheus), 60, "nobody misses it")
    eventually(
        lambda: fires(prometheus, "ImustreamSensorSilent", sensor_id=_WATCHED), 60, "it is missed"
    )
    with fleet(stack.settings, *one):
        eventually(lambda: calm(prometheus), 60, "it is back")
        asyncio.run(unlabel(stack.settings))


async def unlabel(settings: Settings) -> None:
    mongo = mongo_client(settings)
    store = LabelStore(mongo[settings.mongo.database][COLLECTION])
    await store.change(_WATCHED, {"monitored": None}, lambda _: None)
    await mongo.close()


def test_an_archive_that_does_not_run_grows_stale(stack: Stack, prometheus: Prometheus) -> None:
    with made_to_fire(prometheus, "ImustreamArchiveStale", topic=topics.RAW):
        paused(stack.settings, topics.ARCHIVE, so=True)
    paused(stack.settings, topics.ARCHIVE, so=False)


def test_a_mosquitto_that_is_away_disconnects_the_bridge(
    stack: Stack, prometheus: Prometheus
) -> None:
    with made_to_fire(prometheus, "ImustreamBridgeDisconnected"):
        stack.stop("mosquitto")
    eventually(
        lambda: fires(prometheus, "ImustreamTargetDown", source="mqtt"), 30, "the exporter says so"
    )
    stack.start("mosquitto")


def test_a_store_that_is_away_keeps_the_session_writer_from_committing(
    stack: Stack, prometheus: Prometheus
) -> None:
    with made_to_fire(prometheus, "ImustreamCommitsFail", pipeline=topics.SESSION_WRITER):
        stack.stop("documentdb")
    eventually(
        lambda: fires(prometheus, "ImustreamTargetDown", source="mongodb"), 60, "its source too"
    )
    stack.start("documentdb")


def test_an_exporter_that_is_killed_comes_back_and_one_that_is_stopped_is_missed(
    stack: Stack, prometheus: Prometheus
) -> None:
    eventually(lambda: calm(prometheus), 120, "no alert fires")
    stack.kill("exporter")
    stack.wait_for("exporter")
    with made_to_fire(prometheus, "ImustreamTargetDown", job="imustream"):
        stack.stop("exporter")
    stack.start("exporter")


def test_a_bridge_that_is_killed_leaves_its_accounts_balanced(
    stack: Stack, prometheus: Prometheus
) -> None:
    eventually(lambda: calm(prometheus), 120, "no alert fires")
    before = prometheus.value("sum(imustream_bridge_connections_total)") or 0
    for pid in _pids_of("Bridge", stack):
        os.kill(pid, signal.SIGKILL)
    eventually(
        lambda: (prometheus.value("sum(imustream_bridge_connections_total)") or 0) > before,
        60,
        "another bridge connects",
    )
    eventually(
        lambda: prometheus.value("imustream:bridge_unaccounted:sum") == 0, 20, "they balance"
    )


def _pids_of(actor: str, stack: Stack) -> list[int]:
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in stack.all_pids()}
    return [pid for pid, line in commands.items() if line.startswith(b"ray::" + actor.encode())]


def test_without_ray_nothing_moves_and_all_of_it_is_told(
    stack: Stack, prometheus: Prometheus
) -> None:
    alerts = (
        "ImustreamWatermarkStandsStill",
        "ImustreamBridgeDisconnected",
        "ImustreamSlotsMissing",
    )
    with made_to_fire(prometheus, *alerts):
        stack.stop("ray")
        change_control(stack.settings.kafka, _PROCESSING, slots=2)
    eventually(lambda: fires(prometheus, "ImustreamTargetDown", job="ray"), 60, "Ray's targets")
    change_control(stack.settings.kafka, _PROCESSING, slots=1)
    stack.start("ray")
    eventually(lambda: calm(prometheus), 180, f"all is well again: {prometheus.firing()}")
