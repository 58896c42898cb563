"""The bridge's loop: MQTT to Kafka, acknowledged only when Kafka has it, in the order received.

One thread does all: it reads messages, hands them to Kafka's client, takes its delivery reports
and acknowledges the head run of what is delivered. It stands in this order because of:

- An outage of Kafka: records wait in the idempotent producer without a time limit, nothing is
  acknowledged, and the broker stops after ``receive_maximum`` messages.
- An outage of MQTT: whatever was in flight is not acknowledged and comes again. The loop first
  waits until Kafka has it, so that reconnecting in an outage of both cannot pile up copies.
- A record that Kafka refuses for good: the connection and the producer are given up, and
  everything unacknowledged comes again through new ones.
"""

import logging
import select
import threading
import time
from dataclasses import asdict, dataclass
from typing import Any

from confluent_kafka import KafkaException
from paho.mqtt.client import Client, ConnectFlags
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from actors.bridge_inflight import InFlight
from actors.bridge_metrics import BridgeMetrics
from actors.bridge_mqtt import BatchClient
from actors.bridge_records import PIPELINE, Record, RecordMaker
from pipelines import metrics
from pipelines.kafka_clients import Options, as_bridge, new_producer, producer_options
from pipelines.mqtt_access import MqttUser, let_in
from pipelines.sensor_topic import SUBSCRIPTION
from pipelines.settings import KafkaSettings, MqttSettings, Settings
from pipelines.ticks import MQTT_TOPIC as TICK_MQTT_TOPIC
from pipelines.ticks import TickSchedule, encode_tick
from pipelines.topics import DEAD_LETTERS

log = logging.getLogger(__name__)

REPORT_WAIT_S = 0.002
"""While messages are in flight, a turn waits at most this long for Kafka's reports."""

LINGER_MS = 8
"""How long Kafka's client gathers messages: each request costs the broker as much as ten."""

IDLE_WAIT_S = 0.05
RETRY_MIN_S = 0.2
RETRY_MAX_S = 10.0
DRAIN_S = 5.0
"""How long a stop waits for Kafka to take what is in flight; the rest comes again."""


@dataclass
class BridgeStatus:
    """The bridge's accounts since it started, in messages.

    ``received == delivered + refused + returned + in_flight`` always: delivered are in
    imu-data-all, refused in dead-letters, returned were left to the broker to deliver again.
    """

    ready: bool = False
    connected: bool = False
    received: int = 0
    delivered: int = 0
    refused: int = 0
    returned: int = 0
    in_flight: int = 0
    in_flight_bytes: int = 0
    ticks: int = 0
    connections: int = 0
    sessions_lost: int = 0
    error: str | None = None
    code_version: str = ""


def kafka_options(kafka: KafkaSettings) -> Options:
    """Return the producer's options: no time limit, so that an outage only delays.

    Its queue has no bound of its own, because the messages in flight have one.
    """
    return {
        "message.timeout.ms": 0,
        "queue.buffering.max.messages": 0,
        "queue.buffering.max.kbytes": 2_147_483_647,
        **producer_options(as_bridge(kafka), "imustream-bridge"),
        "linger.ms": LINGER_MS,
    }


def connect_properties(mqtt: MqttSettings) -> Properties:
    """Return what CONNECT says: how long the session is kept, how many messages may be open."""
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = mqtt.session_expiry_s
    properties.ReceiveMaximum = mqtt.receive_maximum
    return properties


class BridgeLoop:
    """Carries messages until :meth:`stop`; run :meth:`run` in a thread of its own."""

    def __init__(self, settings: Settings, code_version: str) -> None:
        self._mqtt = settings.mqtt
        self._kafka_options = kafka_options(settings.kafka)
        self._maker = RecordMaker(settings.mqtt.max_payload_bytes, code_version)
        self._schedule = TickSchedule()
        self._status = BridgeStatus(code_version=code_version)
        self._stopping = threading.Event()
        self._in_flight = InFlight()
        self._producer = new_producer(self._kafka_options)
        self._client = self._new_client()
        self._retry_s = RETRY_MIN_S
        self._housekeeping_s = 0.0
        self._metrics = BridgeMetrics()

    def status(self) -> dict[str, Any]:
        """Return the accounts as :class:`BridgeStatus` says; safe from any thread."""
        return asdict(self._status)

    def stop(self) -> None:
        """Ask the loop to end; it first waits a little for Kafka to take what is in flight."""
        self._stopping.set()

    def run(self) -> None:
        """Carry messages until :meth:`stop`, through every outage."""
        while not self._stopping.is_set():
            if self._status.connected:
                self._turn()
            else:
                self._reconnect()
            if self._in_flight.error is not None:
                self._give_up_connection(self._in_flight.error)
            self._metrics.tell_now_and_then(self._status, time.monotonic())
        self._drain()
        self._metrics.tell(self._status)

    def _turn(self) -> None:
        """Take reports, acknowledge, read, tick. Waits for reports or, when idle, for messages."""
        if len(self._in_flight):
            self._producer.poll(REPORT_WAIT_S)
            self._acknowledge()
            wait_s = 0.0
        else:
            self._producer.poll(0)
            wait_s = IDLE_WAIT_S
        client = self._client
        sock = client.socket()
        if sock is None:
            self._lost("the connection to the MQTT broker was lost")
            return
        full = self._in_flight.size >= self._mqtt.max_inflight_bytes
        reading = [] if full else [sock]
        writing = [sock] if client.want_write() else []
        readable, writable, _ = select.select(reading, writing, [], wait_s)
        if readable:
            client.loop_read()
        if writable:
            client.loop_write()
        now_s = time.monotonic()
        if now_s >= self._housekeeping_s:
            self._housekeeping_s = now_s + 1.0
            client.loop_misc()
        if self._status.ready:
            self._tick(now_s)

    def _acknowledge(self) -> None:
        taken = self._in_flight.take_delivered()
        if not taken:
            return
        status = self._status
        dead = sum(message.dead for message in taken)
        status.refused += dead
        status.delivered += len(taken) - dead
        status.in_flight = len(self._in_flight)
        status.in_flight_bytes = self._in_flight.size
        self._metrics.take_delivered(taken, time.time_ns() // 1000)
        mids = [message.mid for message in taken if message.mid is not None]
        if mids and status.connected:
            self._client.acknowledge(mids)

    def _tick(self, now_s: float) -> None:
        tick = self._schedule.next(time.time_ns() // 1000, now_s)
        if tick is not None:
            self._client.publish(TICK_MQTT_TOPIC, encode_tick(tick), qos=1)
            self._status.ticks += 1

    def _take(self, topic: bytes, payload: bytes, mid: int | None) -> None:
        """Hand one message to Kafka's client."""
        received_us = time.time_ns() // 1000
        records = self._maker.records(topic, payload, received_us)
        size = len(payload) * len(records)
        dead = records[0].topic == DEAD_LETTERS
        message = self._in_flight.add(mid, size, len(records), dead=dead, received_us=received_us)
        if dead:
            _tell_letters(records)
        status = self._status
        status.received += 1
        status.in_flight += 1
        status.in_flight_bytes += size
        if self._in_flight.error is not None:
            return  # It stays behind the refused one, so that they come again in their order.
        try:
            for record in records:
                self._producer.produce(
                    record.topic,
                    record.value,
                    record.key,
                    record.partition,
                    on_delivery=message.report,
                    timestamp=received_us // 1000,
                    headers=record.headers,
                )
        except (BufferError, KafkaException) as error:
            self._in_flight.error = str(error)

    def _new_client(self) -> BatchClient:
        mqtt = self._mqtt
        client = BatchClient(mqtt.client_id, self._take)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        let_in(client, mqtt, MqttUser.BRIDGE)
        return client

    def _reconnect(self) -> None:
        """Wait until Kafka has what is in flight, then connect; back off when that fails."""
        if len(self._in_flight):
            self._producer.poll(IDLE_WAIT_S)
            self._acknowledge()
            return
        mqtt = self._mqtt
        try:
            self._client.connect(
                mqtt.host,
                mqtt.port,
                mqtt.keepalive_s,
                clean_start=False,
                properties=connect_properties(mqtt),
            )
        except (OSError, ValueError) as error:
            self._lost(f"the MQTT broker at {mqtt.host}:{mqtt.port} is away: {error}")
            self._stopping.wait(self._retry_s)
            self._retry_s = min(self._retry_s * 2, RETRY_MAX_S)
            return
        # The broker's answer comes to _on_connect, in a turn.
        self._status.connected = True

    def _on_connect(
        self,
        client: Client,
        _userdata: Any,
        flags: ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._lost(f"the MQTT broker refused the bridge: {reason}; check IMUSTREAM_MQTT__*")
            self._stopping.wait(self._retry_s)
            self._retry_s = min(self._retry_s * 2, RETRY_MAX_S)
            return
        status = self._status
        if status.connections and not flags.session_present:
            status.sessions_lost += 1
            log.warning("the MQTT broker has lost the bridge's session and what was queued in it")
        status.connections += 1
        options = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
        client.subscribe([(SUBSCRIPTION, options), (TICK_MQTT_TOPIC, options)])

    def _on_subscribe(
        self,
        _client: Client,
        _userdata: Any,
        _mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        refused = [str(reason) for reason in reasons if reason.is_failure]
        if refused:
            self._in_flight.error = f"the MQTT broker refused the subscription: {refused[0]}"
            return
        self._retry_s = RETRY_MIN_S
        self._status.ready = True
        self._status.error = None
        log.info("the bridge is connected to %s:%s", self._mqtt.host, self._mqtt.port)

    def _on_disconnect(self, *_arguments: Any) -> None:
        if self._status.connected:
            self._lost("the connection to the MQTT broker was lost")

    def _lost(self, error: str) -> None:
        if self._status.ready:
            log.warning("%s; connecting again", error)
        self._status.ready = self._status.connected = False
        self._status.error = error

    def _give_up_connection(self, error: str) -> None:
        """Begin anew with a new connection and producer; the broker delivers the rest again."""
        log.error("%s; what is not acknowledged is fetched again", error)
        self._close_connection()
        self._producer.purge()
        self._producer = new_producer(self._kafka_options)
        self._status.returned += len(self._in_flight)
        self._in_flight = InFlight()
        self._status.in_flight = self._status.in_flight_bytes = 0
        self._lost(error)
        self._stopping.wait(self._retry_s)
        self._retry_s = min(self._retry_s * 2, RETRY_MAX_S)

    def _close_connection(self) -> None:
        self._status.connected = False
        if self._client.disconnect() == MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._client.loop_write()
        self._client = self._new_client()

    def _drain(self) -> None:
        deadline_s = time.monotonic() + DRAIN_S
        while len(self._in_flight) and time.monotonic() < deadline_s:
            self._producer.poll(IDLE_WAIT_S)
            self._acknowledge()
        self._close_connection()
        self._status.ready = False


def _tell_letters(records: list[Record]) -> None:
    reason = dict(records[0].headers).get("reason")
    if isinstance(reason, bytes):
        metrics.DEAD_LETTERS.add(len(records), PIPELINE, reason.decode())
