"""The librdkafka options of every Kafka client of ours, and what its errors mean in words."""

import logging
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from tenacity import retry, retry_if_exception, stop_after_delay, wait_fixed

from pipelines.errors import UnavailableError
from pipelines.settings import KafkaSettings

Answer = TypeVar("Answer")
Options = dict[str, str | int | float | bool]

LOGGER = logging.getLogger("imustream.kafka")
# librdkafka reports each lost connection at ERROR; we say once what it means for us.
LOGGER.setLevel(logging.CRITICAL)

_END_AWAITED_S = 10.0
_END_POLL_S = 0.1

REQUEST_TIMEOUT_S = 10.0
"""How long one question to the brokers may take."""

_TRANSIENT_CODES = frozenset(
    {
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._TIMED_OUT,
        KafkaError._TRANSPORT,
        KafkaError._WAIT_COORD,
        KafkaError.BROKER_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NETWORK_EXCEPTION,
        KafkaError.NOT_COORDINATOR,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.OFFSET_NOT_AVAILABLE,
        KafkaError.REPLICA_NOT_AVAILABLE,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        # A topic just created is not known to every broker yet.
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
    }
)

PREFETCH_KB = 32 * 1024
"""Bound of what a consumer fetches ahead of its loop."""


def client_options(settings: KafkaSettings, client_id: str) -> Options:
    """Return what all clients share; the user's own ``kafka.options`` come last and win."""
    return {
        "bootstrap.servers": settings.bootstrap_servers,
        "client.id": client_id,
        "socket.keepalive.enable": True,
        # A broker that comes back is found again within half a second.
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 500,
        **_security(settings),
        **settings.options,
    }


def _security(settings: KafkaSettings) -> Options:
    """TLS and the log-in, where there are any."""
    found: Options = {}
    if settings.tls or settings.username is not None:
        transport = "SSL" if settings.tls else "PLAINTEXT"
        found["security.protocol"] = f"SASL_{transport}" if settings.username else transport
    if settings.tls and settings.tls_ca_file is not None:
        found["ssl.ca.location"] = str(settings.tls_ca_file)
    if settings.username is not None and settings.password is not None:
        found["sasl.mechanism"] = settings.sasl_mechanism
        found["sasl.username"] = settings.username
        found["sasl.password"] = settings.password.get_secret_value()
    return found


def as_bridge(settings: KafkaSettings) -> KafkaSettings:
    """Return the settings with the bridge's own user, where it has one."""
    if settings.bridge_username is None:
        return settings
    return settings.model_copy(
        update={"username": settings.bridge_username, "password": settings.bridge_password}
    )


def consumer_options(settings: KafkaSettings, group_id: str) -> Options:
    """Return the options of a consumer that is assigned partitions and reads committed records.

    An offset that does not exist is an error rather than a silent jump to another one.
    """
    return {
        "group.id": group_id,
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "auto.offset.reset": "error",
        "allow.auto.create.topics": False,
        "fetch.wait.max.ms": 100,
        # After a full queue librdkafka waits a second before it fetches again, unless told.
        "fetch.queue.backoff.ms": 5,
        "fetch.error.backoff.ms": 50,
        "queued.max.messages.kbytes": PREFETCH_KB,
        **client_options(settings, group_id),
    }


def producer_options(settings: KafkaSettings, client_id: str) -> Options:
    """Return the options of an idempotent producer whose records all in-sync replicas have."""
    return {
        "enable.idempotence": True,
        "acks": "all",
        "linger.ms": 2,
        # The first records of a transaction wait for its predecessor's markers: look again soon.
        "retry.backoff.ms": 2,
        "retry.backoff.max.ms": 100,
        "partitioner": "murmur2_random",
        **client_options(settings, client_id),
    }


def transactional_options(
    settings: KafkaSettings, transactional_id: str, transaction_timeout_s: int
) -> Options:
    """Return the options of the one producer that may hold ``transactional_id``."""
    return {
        "transactional.id": transactional_id,
        "transaction.timeout.ms": transaction_timeout_s * 1000,
        **producer_options(settings, transactional_id),
    }


def new_consumer(options: Mapping[str, str | int | float | bool]) -> Consumer:
    """Make a consumer that logs by Python's logging."""
    return Consumer(dict(options), logger=LOGGER)


def new_producer(options: Mapping[str, str | int | float | bool]) -> Producer:
    """Make a producer that logs by Python's logging."""
    return Producer(dict(options), logger=LOGGER)


_GRANT = "grant it to the user of kafka.username: on a cluster in its KafkaUser, else as an ACL"
_SEEN = "see that the topic is there (`python -m actors` makes it) and that our user may see it"
_LOG_IN = "see that kafka.username and kafka.password are a user's of these brokers"
_ADVICE = {
    # Kafka says the same of a topic that is not there and of one that we may not even see.
    KafkaError.UNKNOWN_TOPIC_OR_PART: _SEEN,
    KafkaError._UNKNOWN_TOPIC: _SEEN,
    KafkaError._UNKNOWN_PARTITION: _SEEN,
    KafkaError.TOPIC_AUTHORIZATION_FAILED: _GRANT,
    KafkaError.GROUP_AUTHORIZATION_FAILED: _GRANT,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: _GRANT,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: _GRANT,
    KafkaError._AUTHENTICATION: _LOG_IN,
    KafkaError.SASL_AUTHENTICATION_FAILED: _LOG_IN,
    KafkaError._SSL: "see that kafka.tls_ca_file holds the authority of the brokers' certificates, "
    "and that kafka.bootstrap_servers has the names in them",
}
_RUNNING = "see that the brokers run (`imustream status`) and that kafka.bootstrap_servers is right"


def unavailable(error: KafkaException, what: str, bootstrap_servers: str) -> UnavailableError:
    """Return the one-line error for a broker that did not do ``what``."""
    advice = _ADVICE.get(kafka_error(error).code(), _RUNNING)
    return UnavailableError(
        f"{what} failed at Kafka {bootstrap_servers}: {reason(error)}; {advice}"
    )


def kafka_error(error: KafkaException) -> KafkaError:
    """Return the error code and its flags that a :class:`KafkaException` carries."""
    first = error.args[0]
    return first if isinstance(first, KafkaError) else KafkaError(KafkaError._FAIL, str(first))


def reason(error: KafkaException) -> str:
    """Return the error in librdkafka's words."""
    return kafka_error(error).str()


def transient(error: KafkaError) -> bool:
    """Whether the clients get over this error by themselves once the brokers settle.

    librdkafka's own flag is set for transactions only.
    """
    return error.retriable() or error.code() in _TRANSIENT_CODES


def _is_transient(error: BaseException) -> bool:
    return isinstance(error, KafkaException) and transient(kafka_error(error))


_patient = retry(
    retry=retry_if_exception(_is_transient),
    stop=stop_after_delay(REQUEST_TIMEOUT_S),
    wait=wait_fixed(0.05),
    reraise=True,
)


@_patient
def retry_transient(ask: Callable[[], Answer]) -> Answer:
    """Ask the brokers again while they settle, for ten seconds; raises KafkaException."""
    return ask()


@_patient
def watermarks(consumer: Consumer, topic: str, partition: int) -> tuple[int, int]:
    """Return the first offset that exists and the one after the last committed record.

    Raises:
        KafkaException: the brokers did not answer in time.
    """
    answer = consumer.get_watermark_offsets(
        TopicPartition(topic, partition), timeout=REQUEST_TIMEOUT_S
    )
    if answer is None:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"offsets of {topic}/{partition}"))
    low, high = answer
    return low, high


def watermarks_reaching(
    consumer: Consumer, topic: str, partition: int, end: int
) -> tuple[int, int]:
    """Return :func:`watermarks` once the log is seen to reach ``end``, or after ten seconds.

    A broker that has just become the leader learns of the last records with a delay.

    Raises:
        KafkaException: the brokers did not answer in time.
    """
    low, high = watermarks(consumer, topic, partition)
    deadline = time.monotonic() + _END_AWAITED_S
    while high < end and time.monotonic() < deadline:
        time.sleep(_END_POLL_S)
        low, high = watermarks(consumer, topic, partition)
    return low, high
