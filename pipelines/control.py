"""The topic pipeline-control: what is wanted of each pipeline, and the alarms of its slots.

Whoever wants a change reads the record, changes ``slots``, ``paused`` or ``model_channel`` and
writes it back; only the supervisor changes ``generation``, ``running_slots`` and
``previous_slots``. Two such writers may cross, and the older record then names an older
generation. So readers fold the records: wishes from the last record, the rest from the highest
generation seen, which the supervisor writes again at once.
"""

import copy
from typing import Annotated

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message
from msgspec import UNSET, Meta, UnsetType

from pipelines.compacted import reader, until_end
from pipelines.errors import ConfigurationError
from pipelines.kafka_clients import (
    REQUEST_TIMEOUT_S,
    new_producer,
    producer_options,
    transient,
    unavailable,
)
from pipelines.settings import KafkaSettings
from pipelines.topics import CONTENT_TYPE, CONTROL, JSON_TYPE

HEADERS = ((CONTENT_TYPE, JSON_TYPE.encode()),)
_ALARM_PREFIX = "alarm/"


class Control(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A pipeline's record; its form is ``schemas/control.schema.json``."""

    pipeline: str
    slots: Annotated[int, Meta(ge=1, le=10)]
    generation: Annotated[int, Meta(ge=0)]
    paused: bool
    running_slots: Annotated[int, Meta(ge=0)] = 0
    previous_slots: Annotated[int, Meta(ge=0)] = 0
    model_channel: str | UnsetType = UNSET

    @property
    def key(self) -> bytes:
        """The record's key."""
        return self.pipeline.encode()


class Alarm(msgspec.Struct, frozen=True):
    """Why a slot stopped, until it starts well again; ``at_us`` in microseconds since the epoch."""

    pipeline: str
    slot: int
    generation: int
    message: str
    at_us: int

    @property
    def key(self) -> bytes:
        """The record's key."""
        return f"{_ALARM_PREFIX}{self.pipeline}/{self.slot}".encode()


class ControlState(msgspec.Struct):
    """All that the topic says: records by pipeline, alarms by pipeline and slot.

    crossed: pipelines whose last record names an older generation than one before it.
    """

    pipelines: dict[str, Control] = msgspec.field(default_factory=dict)
    alarms: dict[tuple[str, int], Alarm] = msgspec.field(default_factory=dict)
    crossed: set[str] = msgspec.field(default_factory=set)


def merge(known: Control | None, record: Control) -> Control:
    """Return what is true once ``record`` follows ``known``; see the module."""
    if known is None or record.generation >= known.generation:
        return record
    return msgspec.structs.replace(
        record,
        generation=known.generation,
        running_slots=known.running_slots,
        previous_slots=known.previous_slots,
    )


def fold(state: ControlState, key: bytes, value: bytes | None) -> None:
    """Take one record of the topic into ``state``; what is not in our form is passed over."""
    name = key.decode(errors="replace")
    if name.startswith(_ALARM_PREFIX):
        _fold_alarm(state, name, value)
        return
    if value is None:
        state.pipelines.pop(name, None)
        return
    try:
        record = msgspec.json.decode(value, type=Control)
    except msgspec.DecodeError:
        return
    merged = merge(state.pipelines.get(name), record)
    state.pipelines[name] = merged
    if merged.generation == record.generation:
        state.crossed.discard(name)
    else:
        state.crossed.add(name)


def _fold_alarm(state: ControlState, name: str, value: bytes | None) -> None:
    pipeline, _, slot = name.removeprefix(_ALARM_PREFIX).rpartition("/")
    if not (pipeline and slot.isdecimal()):
        return
    if value is None:
        state.alarms.pop((pipeline, int(slot)), None)
        return
    try:
        state.alarms[pipeline, int(slot)] = msgspec.json.decode(value, type=Alarm)
    except msgspec.DecodeError:
        return


class ControlFollower:
    """Reads the topic to its end, then follows it."""

    def __init__(self, settings: KafkaSettings) -> None:
        """Read to the end.

        Raises:
            UnavailableError: the brokers did not answer.
        """
        self._where = settings.bootstrap_servers
        self._consumer: Consumer = reader(settings, "imustream.control-reader")
        self._state = ControlState()
        try:
            for message in until_end(self._consumer, CONTROL, [0]):
                self._fold(message)
        except KafkaException as error:
            self._consumer.close()
            raise unavailable(error, f"reading {CONTROL}", self._where) from None

    @property
    def state(self) -> ControlState:
        """A copy of what is known so far."""
        return copy.deepcopy(self._state)

    def poll(self, timeout_s: float) -> ControlState:
        """Wait up to ``timeout_s`` for a record, take in what came, and return what is known.

        Raises:
            UnavailableError: the topic cannot be read.
        """
        timeout = timeout_s
        while messages := self._consumer.consume(1, timeout):
            timeout = 0.0
            for message in messages:
                error = message.error()
                if error is None:
                    self._fold(message)
                elif error.code() != KafkaError._PARTITION_EOF and not transient(error):
                    failed = KafkaException(error)
                    raise unavailable(failed, f"reading {CONTROL}", self._where)
        return self.state

    def close(self) -> None:
        """Close the consumer."""
        self._consumer.close()

    def _fold(self, message: Message) -> None:
        key = message.key()
        if key is not None:
            fold(self._state, key, message.value())


def read_control(settings: KafkaSettings) -> ControlState:
    """Return what pipeline-control says now.

    Raises:
        UnavailableError: the brokers did not answer.
    """
    follower = ControlFollower(settings)
    follower.close()
    return follower.state


def change_control(
    settings: KafkaSettings,
    pipeline: str,
    *,
    slots: int | None = None,
    paused: bool | None = None,
) -> Control:
    """Write what is wanted of a pipeline and return the record.

    Raises:
        ConfigurationError: no supervisor has ever run this pipeline here.
        UnavailableError: the brokers did not answer.
    """
    known = read_control(settings).pipelines
    if pipeline not in known:
        raise ConfigurationError(
            f"pipeline {pipeline!r} has no record in {CONTROL} at Kafka "
            f"{settings.bootstrap_servers} (known: {', '.join(sorted(known)) or 'none'}); "
            "start the pipelines first: `imustream up`"
        )
    record = known[pipeline]
    wanted = msgspec.structs.replace(
        record,
        slots=record.slots if slots is None else slots,
        paused=record.paused if paused is None else paused,
    )
    write_record(settings, wanted)
    return wanted


def clear_alarm(settings: KafkaSettings, alarm: Alarm) -> None:
    """Take an alarm back; raises UnavailableError."""
    _write(settings, alarm.key, None)


def write_record(settings: KafkaSettings, record: Control | Alarm) -> None:
    """Write a record and wait until Kafka has it; raises UnavailableError."""
    _write(settings, record.key, msgspec.json.encode(record))


def _write(settings: KafkaSettings, key: bytes, value: bytes | None) -> None:
    failures: list[KafkaError] = []
    producer = new_producer(
        producer_options(settings, "imustream.control-writer")
        | {"delivery.timeout.ms": int(REQUEST_TIMEOUT_S * 1000)}
    )
    producer.produce(
        CONTROL,
        value=value,
        key=key,
        partition=0,
        headers=list(HEADERS),
        on_delivery=lambda error, _: failures.append(error) if error is not None else None,
    )
    if producer.flush(REQUEST_TIMEOUT_S + 1) or failures:
        failure = failures[0] if failures else KafkaError(KafkaError._TIMED_OUT)
        failed = KafkaException(failure)
        raise unavailable(failed, f"writing {CONTROL}", settings.bootstrap_servers)
