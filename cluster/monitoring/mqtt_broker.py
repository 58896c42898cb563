"""What Mosquitto says of itself in its topics under `$SYS`, every 10 s."""

import logging
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Final

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cluster.monitoring.families import counter, gauge
from pipelines import metrics
from pipelines.mqtt_access import SYS_SUBSCRIPTION, MqttUser, let_in
from pipelines.settings import MqttSettings

log = logging.getLogger(__name__)

_ROOT: Final = SYS_SUBSCRIPTION.removesuffix("#")
_GAUGES: Final = {
    "clients/connected": (metrics.MQTT_CLIENTS, ("connected",)),
    "clients/disconnected": (metrics.MQTT_CLIENTS, ("disconnected",)),
    "store/messages/count": (metrics.MQTT_STORED_MESSAGES, ()),
    "heap/current": (metrics.MQTT_HEAP_BYTES, ()),
}
_COUNTERS: Final = {
    "publish/messages/received": (metrics.MQTT_MESSAGES, ("received",)),
    "publish/messages/sent": (metrics.MQTT_MESSAGES, ("sent",)),
    "publish/messages/dropped": (metrics.MQTT_MESSAGES, ("dropped",)),
    "bytes/received": (metrics.MQTT_BYTES, ("received",)),
    "bytes/sent": (metrics.MQTT_BYTES, ("sent",)),
}
_KNOWN: Final = _GAUGES.keys() | _COUNTERS.keys()


class MqttBroker(Collector):
    """Keeps the newest values of the topics that we know, while connected."""

    def __init__(self, settings: MqttSettings) -> None:
        """Connect in the background, and again whenever the connection is lost."""
        self._lock = threading.Lock()
        self._values: dict[str, float] = {}
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        let_in(self._client, settings, MqttUser.MONITOR)
        self._client.reconnect_delay_set(1, 10)
        self._client.connect_async(settings.host, settings.port, settings.keepalive_s)
        self._client.loop_start()

    def collect(self) -> Iterator[Metric]:
        """Yield what the broker said last; nothing of it while there is no connection."""
        with self._lock:
            values = dict(self._values)
        up = gauge(metrics.MQTT_UP)
        up.add_metric([], int(bool(values)))
        yield up
        yield from families(values)

    def stop(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(
        self,
        client: Client,
        _userdata: Any,
        _flags: ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            log.warning("the MQTT broker refused the exporter: %s", reason)
            return
        client.subscribe(SYS_SUBSCRIPTION)

    def _on_disconnect(self, *_arguments: Any) -> None:
        with self._lock:
            self._values.clear()

    def _on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        name = message.topic.removeprefix(_ROOT)
        if name not in _KNOWN:
            return
        try:
            value = float(message.payload)
        except ValueError:
            return
        with self._lock:
            self._values[name] = value


def families(values: Mapping[str, float]) -> Iterator[Metric]:
    """Yield the families of the topics that have a value."""
    made: dict[str, GaugeMetricFamily | CounterMetricFamily] = {}
    for known, make in ((_GAUGES, gauge), (_COUNTERS, counter)):
        for topic, (book, labels) in known.items():
            if topic in values:
                family = made.setdefault(book.name, make(book))
                family.add_metric(labels, values[topic])
    yield from made.values()
