"""A fleet that publishes numbered messages, so that a test sees what is lost or out of order."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterable

from confluent_kafka import Message
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties


class NumberedPublisher(threading.Thread):
    """Publishes at ``rate`` messages a second to ``sensors`` in turn, through every outage.

    A payload is the sensor's own count from 0, in ASCII, and padding.
    """

    def __init__(self, port: int, sensors: list[str], rate: float) -> None:
        super().__init__(daemon=True)
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            f"publisher-{sensors[0]}",
            protocol=MQTTProtocolVersion.MQTTv5,
        )
        self._client.reconnect_delay_set(1, 1)
        self._resending = threading.Event()
        self._client.on_disconnect = lambda *_: self._resending.set()
        self._client.max_inflight_messages_set(500)
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 600
        self._client.connect("127.0.0.1", port, clean_start=False, properties=properties)
        self._client.loop_start()
        self._sensors = sensors
        self._rate = rate
        self._ending = threading.Event()
        self.count = 0
        self.padding = 200

    def run(self) -> None:
        """Publish until :meth:`finish`."""
        start_s = time.monotonic()
        while not self._ending.is_set():
            # A device in good order sends nothing new before what was lost is sent again.
            if self._resending.is_set() and self._info.is_published():
                self._resending.clear()
            while (
                not self._resending.is_set()
                and self.count < (time.monotonic() - start_s) * self._rate
            ):
                self.publish_next()
            self._ending.wait(0.002)

    def publish_next(self) -> None:
        """Publish the next message."""
        number, sensor = divmod(self.count, len(self._sensors))
        payload = b"%d " % number + b"x" * self.padding
        self._info = self._client.publish(f"imu/{self._sensors[sensor]}", payload, qos=1)
        self.count += 1

    def finish(self) -> None:
        """Stop publishing and wait until the broker has acknowledged every message."""
        self._ending.set()
        if self.is_alive():
            self.join()
        self._info.wait_for_publish(60)
        assert self._info.is_published()
        self._client.disconnect()
        self._client.loop_stop()

    def expected(self) -> dict[str, list[int]]:
        """The numbers each sensor has sent."""
        count, sensors = self.count, len(self._sensors)
        return {
            sensor: list(range((count - k + sensors - 1) // sensors))
            for k, sensor in enumerate(self._sensors)
        }


def arrived(records: Iterable[Message], sensors: list[str]) -> dict[str, list[int]]:
    """The numbers of each of these sensors in imu-data-all, as they stand there."""
    numbers: dict[str, list[int]] = defaultdict(list)
    wanted = set(sensors)
    for record in records:
        key = record.key()
        if key is not None and key.decode() in wanted:
            numbers[key.decode()].append(int(record.value().split()[0]))
    return numbers


def first_occurrences(numbers: list[int]) -> list[int]:
    """The numbers without those that came before."""
    return list(dict.fromkeys(numbers))
