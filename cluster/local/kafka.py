"""Apache Kafka 4 (KRaft): one broker, or three with replication, each also a controller."""

import base64
import hashlib
import logging
import subprocess
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from cluster.local.certificates import make_certificates
from cluster.local.server import Port, Server, awaited_port
from cluster.local.state_folder import write_private
from cluster.setup import tools
from pipelines.errors import ConfigurationError, UnavailableError
from pipelines.settings import Settings
from pipelines.topics import MAX_MESSAGE_BYTES

_HOST = "127.0.0.1"
_METADATA_TIMEOUT_S = 2.0
_silent = logging.getLogger("imustream.awaiting-kafka")
_silent.disabled = True

# Warnings and worse only; supervisord bounds the file that standard output goes to.
_LOGGING = """\
rootLogger.level = WARN
rootLogger.appenderRef.out.ref = OUT
appender.out.type = Console
appender.out.name = OUT
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %p %m (%c)%n%throwable{5}
"""

# One line for each thing that is refused to a user.
_LOGGING_OF_REFUSALS = """\
logger.authorizer.name = kafka.authorizer.logger
logger.authorizer.level = INFO
"""


def broker_ports(settings: Settings) -> list[int]:
    """The port of each broker: those of the bootstrap servers, or the ports after the first.

    Raises:
        ConfigurationError: the bootstrap servers are not this machine's.
    """
    ports = []
    for server in settings.kafka.bootstrap_servers.split(","):
        host, _, port = server.strip().rpartition(":")
        if host not in (_HOST, "localhost") or not port.isdigit():
            raise ConfigurationError(
                f"setting kafka.bootstrap_servers: {server.strip()!r} is not a port of {_HOST}, "
                "where `imustream up` runs its own Kafka; unset it, or start the pipelines on "
                "your cluster with `ray job submit` (README)"
            )
        ports.append(int(port))
    brokers = settings.local.brokers
    return ports if len(ports) == brokers else [ports[0] + k for k in range(brokers)]


def kafka_servers(settings: Settings, folder: Path) -> list[Server]:
    """The brokers, their data under ``folder``.

    Raises:
        ConfigurationError: the data there are of another number of brokers.
    """
    kept = len(list(folder.glob("kafka-*/data/meta.properties")))
    if kept not in (0, settings.local.brokers):
        raise ConfigurationError(
            f"{folder} holds the data of {kept} Kafka broker(s), not {settings.local.brokers}: "
            f"use `--brokers {kept}`, or another folder with IMUSTREAM_LOCAL__STATE_DIR"
        )
    return [_broker(settings, folder, k) for k in range(settings.local.brokers)]


def _broker(settings: Settings, folder: Path, index: int) -> Server:
    ports = broker_ports(settings)
    home = folder / f"kafka-{index + 1}"
    controller = settings.local.kafka_controller_port + index
    heap = settings.local.kafka_heap_mb
    return Server(
        name="kafka" if len(ports) == 1 else f"kafka-{index + 1}",
        title="Kafka" if len(ports) == 1 else f"Kafka broker {index + 1}",
        command=[
            str(tools.java()),
            f"-Xmx{heap}m",
            "-Xms256m",
            # Beside all other parts on two cores, a collector without threads of its own and few
            # threads for requests took a sixth off Kafka's CPU time and a third off p99.
            "-Xmn128m",
            "-XX:+UseSerialGC",
            "-Djava.awt.headless=true",
            f"-Dlog4j2.configurationFile={home / 'log4j2.properties'}",
            "-cp",
            tools.kafka_classpath(),
            "kafka.Kafka",
            str(home / "server.properties"),
        ],
        prepare=lambda: _prepare(settings, home, index),
        awaited=lambda: _awaited(ports, index),
        ports=(
            Port(ports[index], "IMUSTREAM_KAFKA__BOOTSTRAP_SERVERS"),
            Port(controller, "IMUSTREAM_LOCAL__KAFKA_CONTROLLER_PORT"),
            *(
                [Port(tls_port(settings, index), "IMUSTREAM_LOCAL__KAFKA_TLS_PORT")]
                if settings.local.kafka_tls_port
                else []
            ),
        ),
        stop_wait_s=25,
    )


def tls_port(settings: Settings, index: int = 0) -> int:
    """Where a broker speaks TLS, if ``local.kafka_tls_port`` is set."""
    return settings.local.kafka_tls_port + index


def tls_folder(state_folder: Path) -> Path:
    """Where the brokers' certificate and its authority are kept."""
    return state_folder / "kafka-tls"


def _with_log_ins(plain: dict[str, object], tls: Path, port: int) -> dict[str, object]:
    """The properties with a listener for users, each held to its ACLs.

    Who comes over the plain listeners, which are this machine's own, may do everything.
    """
    certificate = tls / "server-with-key.pem"
    return plain | {
        "listeners": f"{plain['listeners']},SASL_SSL://{_HOST}:{port}",
        "advertised.listeners": f"{plain['advertised.listeners']},SASL_SSL://{_HOST}:{port}",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,"
        "SASL_SSL:SASL_SSL",
        "inter.broker.listener.name": "PLAINTEXT",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": "org.apache.kafka.common."
        "security.scram.ScramLoginModule required;",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": certificate,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "allow.everyone.if.no.acl.found": "false",
    }


def _make_tls(folder: Path) -> None:
    files = make_certificates(folder, _HOST)
    write_private(
        folder / "server-with-key.pem", files.key.read_text() + files.certificate.read_text()
    )


def _properties(settings: Settings, home: Path, index: int) -> dict[str, object]:
    brokers = settings.local.brokers
    port = broker_ports(settings)[index]
    controllers = [settings.local.kafka_controller_port + k for k in range(brokers)]
    in_sync = min(2, brokers)
    return {
        "process.roles": "broker,controller",
        "node.id": index + 1,
        "controller.quorum.voters": ",".join(
            f"{k + 1}@{_HOST}:{controller}" for k, controller in enumerate(controllers)
        ),
        "listeners": f"PLAINTEXT://{_HOST}:{port},CONTROLLER://{_HOST}:{controllers[index]}",
        "advertised.listeners": f"PLAINTEXT://{_HOST}:{port}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "log.dirs": home / "data",
        "auto.create.topics.enable": "false",
        "num.network.threads": 2,
        "num.io.threads": 3,
        "message.max.bytes": MAX_MESSAGE_BYTES,
        "default.replication.factor": brokers,
        "min.insync.replicas": in_sync,
        # Internal topics: few partitions, since each is a folder and a file handle or three.
        "offsets.topic.num.partitions": 5,
        "offsets.topic.replication.factor": brokers,
        "offsets.retention.minutes": 30 * 24 * 60,
        "transaction.state.log.num.partitions": 5,
        "transaction.state.log.replication.factor": brokers,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.num.partitions": 1,
        "share.coordinator.state.topic.replication.factor": brokers,
        "share.coordinator.state.topic.min.isr": in_sync,
        "group.initial.rebalance.delay.ms": 0,
        # A broker killed and started again is admitted once its former session has run out.
        "broker.heartbeat.interval.ms": 500,
        "broker.session.timeout.ms": 4_000,
        "log.cleaner.backoff.ms": 5_000,
        "log.cleaner.dedupe.buffer.size": 32 * 1024 * 1024,
    }


def _prepare(settings: Settings, home: Path, index: int) -> None:
    home.mkdir(parents=True, exist_ok=True)
    secured = settings.local.kafka_tls_port > 0
    (home / "log4j2.properties").write_text(_LOGGING + (_LOGGING_OF_REFUSALS if secured else ""))
    chosen = _properties(settings, home, index)
    if secured:
        tls = tls_folder(home.parent)
        _make_tls(tls)
        chosen = _with_log_ins(chosen, tls, tls_port(settings, index))
    properties = home / "server.properties"
    lines = [f"{key}={value}\n" for key, value in chosen.items()]
    properties.write_text("".join(lines))
    if (home / "data" / "meta.properties").is_file():
        return
    command: list[str | Path] = [
        tools.java(),
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        "-Xshare:auto",
    ]
    command += [f"-Dlog4j2.configurationFile={home / 'log4j2.properties'}"]
    command += ["-cp", tools.kafka_classpath(), "kafka.tools.StorageTool"]
    command += ["format", "--cluster-id", _cluster_id(home.parent), "--config", properties]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise UnavailableError(
            f"Kafka could not format its data folder {home / 'data'}: "
            f"{said[-1] if said else f'exit code {done.returncode}'}"
        )


def _cluster_id(folder: Path) -> str:
    """The same id for all brokers of one state folder: a UUID in Kafka's spelling."""
    digest = hashlib.sha256(str(folder.resolve()).encode()).digest()
    # A leading dash would read as an option.
    return "i" + base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")[1:]


def _awaited(ports: list[int], index: int) -> str | None:
    missing = awaited_port(ports[index])
    if missing is not None:
        return missing
    client = AdminClient({"bootstrap.servers": f"{_HOST}:{ports[index]}"}, logger=_silent)
    try:
        found = set(client.list_topics(timeout=_METADATA_TIMEOUT_S).brokers)
    except KafkaException as error:
        return f"Kafka's metadata ({error.args[0].str()})"
    return None if index + 1 in found else "Kafka's controller to admit the broker"
