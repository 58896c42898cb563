"""What the exporter makes of books, of the MQTT broker's topics, of certificates and of folders."""

import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from prometheus_client.core import Metric

from cluster.local.certificates import make_certificates
from cluster.local.prometheus import configuration
from cluster.monitoring.books import ledger_families, pipeline_families, sensor_families
from cluster.monitoring.certificate_ends import end_of
from cluster.monitoring.disks import folders_of
from cluster.monitoring.monitored_sensors import Monitored
from cluster.monitoring.mqtt_broker import families
from cluster.setup import tools
from pipelines import metrics, topics
from pipelines.control import Alarm, Control
from pipelines.settings import load_settings
from pipelines.sinks.sink_offsets import Place
from serve.pipelines_report import Observed, Progress, pipeline_report

_US = 1_000_000
Values = dict[tuple[str, ...], float]


def values(made: Iterable[Metric]) -> dict[str, Values]:
    """Return the value of each sample by its name and then by its labels' values."""
    found: dict[str, Values] = {}
    for metric in made:
        for sample in metric.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def test_a_report_becomes_lag_commits_slots_and_alarms() -> None:
    counts = {"frames": 10, "transformed": 6, "duplicates": 1, "heartbeats": 1, "dead_letters": 1}
    place = Place(topics.RAW, 3)
    report = pipeline_report(
        Observed(
            control=Control("sensor-processing", slots=2, generation=1, paused=True),
            alarms=[Alarm("sensor-processing", 0, 1, "stopped", 0)],
            progress=[Progress(place, 1, 90, 5 * _US, counts)],
            before=[],
            seconds=0.0,
            end_offsets={place: 100},
            now_us=6 * _US,
        )
    )
    found = values(pipeline_families([report]))
    name = "sensor-processing"
    assert found[metrics.LAG_RECORDS.name] == {(name, topics.RAW, "3"): 10}
    assert found[metrics.LAST_COMMIT_SECONDS.name] == {(name, "1", topics.RAW, "3"): 5}
    assert found[metrics.SLOTS.name] == {(name, "desired"): 2, (name, "running"): 0}
    assert found[metrics.PAUSED.name] == {(name,): 1}
    assert found[metrics.ALARMS.name] == {(name,): 1}
    assert found[metrics.UNBALANCED.name] == {(name, "lost"): 1, (name, "doubled"): 0}


def test_ledgers_become_counters_and_those_of_several_topics_are_added() -> None:
    raw, sessions = Place(topics.RAW, 3), Place(topics.SESSIONS, 3)
    found = values(
        ledger_families(
            {
                "sensor-processing": [
                    Progress(raw, 0, 9, 0, {"records": 9, "samples": 576, "transformed": 8})
                ],
                topics.ARCHIVE: [
                    Progress(raw, 0, 9, 0, {"records": 7, "rows": 7, "bytes": 700}),
                    Progress(sessions, 0, 2, 0, {"records": 2, "rows": 1, "bytes": 50}),
                ],
            }
        )
    )
    assert found[metrics.RECORDS.name] == {("sensor-processing", "3"): 9, ("archive", "3"): 9}
    assert found[metrics.SAMPLES.name] == {("sensor-processing", "3"): 576}
    assert found[metrics.FRAMES.name]["3", "transformed"] == 8
    assert found[metrics.ARCHIVED_ROWS.name] == {(topics.RAW,): 7, (topics.SESSIONS,): 1}


def test_only_monitored_sensors_are_named_and_one_that_never_sent_was_seen_at_0() -> None:
    known = [
        {"sensor_id": "a", "state": "live", "last_received_us": 7 * _US},
        {"sensor_id": "b", "state": "silent", "last_received_us": 3 * _US},
    ]
    found = values(sensor_families(known, Monitored(("a", "never"), 5, fresh=True)))
    assert found[metrics.SENSORS.name] == {("live",): 1, ("silent",): 1}
    assert found[metrics.SENSOR_LAST_SEEN_SECONDS.name] == {("a",): 7, ("never",): 0}
    assert found[metrics.MONITORED_LEFT_OUT.name] == {(): 5}


def test_what_the_mqtt_broker_says_becomes_metrics_and_the_rest_is_absent() -> None:
    said = {"clients/connected": 3.0, "publish/messages/dropped": 2.0, "bytes/sent": 9.0}
    assert values(families(said)) == {
        metrics.MQTT_CLIENTS.name: {("connected",): 3},
        metrics.MQTT_MESSAGES.name: {("dropped",): 2},
        metrics.MQTT_BYTES.name: {("sent",): 9},
    }


def test_a_certificate_ends_when_it_says_whatever_its_authority_does(tmp_path: Path) -> None:
    made = make_certificates(tmp_path, "127.0.0.1")
    own = x509.load_pem_x509_certificate(made.certificate.read_bytes()).not_valid_after_utc
    chain = tmp_path / "chain.pem"
    chain.write_bytes(made.certificate.read_bytes() + made.authority.read_bytes())
    assert end_of(made.certificate) == end_of(chain) == own.timestamp()


def test_of_a_file_of_authorities_the_last_to_end_counts(tmp_path: Path) -> None:
    made = make_certificates(tmp_path, "127.0.0.1")
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(_ended_authority() + made.authority.read_bytes())
    assert end_of(bundle) == end_of(made.authority) > datetime.now(UTC).timestamp()


def test_a_file_that_is_no_certificate_has_ended(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    assert end_of(tmp_path / "empty.pem") == end_of(tmp_path / "missing.pem") == 0.0


def _ended_authority() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ended")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now - timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def test_folders_within_another_are_told_of_once(tmp_path: Path) -> None:
    settings = load_settings(
        archive={"url": f"file://{tmp_path}/archive"},
        models={"url": "s3://bucket/models"},
        local={"state_dir": tmp_path},
        metrics={"folders": [tmp_path.parent / "other"]},
    )
    assert folders_of(settings) == [tmp_path.parent / "other", tmp_path]


def test_promtool_takes_the_configuration_of_prometheus(tmp_path: Path) -> None:
    written = tmp_path / "prometheus.yml"
    written.write_bytes(orjson.dumps(configuration(load_settings(), tmp_path)))
    program = tools.promtool()
    subprocess.run(
        [program.path, "check", "config", written],
        env=program.environment,
        check=True,
        capture_output=True,
    )
