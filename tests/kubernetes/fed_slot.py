"""`python -m tests.kubernetes.fed_slot`: a slot of sensor_processing, fed, without a Ray.

It creates the topics, produces ten frames a second to imu-data-all, and runs the slot on them, as
the actor of a slot does.
"""

import threading
import time
from itertools import count

from pipelines.admin import create_topics
from pipelines.kafka_clients import new_producer, producer_options
from pipelines.operators.sensor_processing import SensorProcessing
from pipelines.owned_partition import SlotIdentity
from pipelines.settings import Settings, load_settings
from pipelines.slot import Slot
from pipelines.slot_loop import SlotLoop
from pipelines.topics import RAW
from tests.unit.frame_building import PERIOD_US, frame

_EVERY_S = 0.1
_SAMPLES = 64
_SENSOR = b"arm"


def feed(settings: Settings) -> None:
    """Produce frames for ever, as the bridge does."""
    producer = new_producer(producer_options(settings.kafka, "feed"))
    began_us = time.time_ns() // 1_000
    for number in count():
        base = number * _SAMPLES
        now_us = time.time_ns() // 1_000
        producer.produce(
            RAW,
            frame(base, began_us + base * PERIOD_US, _SAMPLES),
            _SENSOR,
            headers={"mqtt-topic": b"imu/arm", "received-us": str(now_us).encode()},
        )
        producer.poll(0)
        time.sleep(_EVERY_S)


def main() -> None:
    """Run for ever."""
    settings = load_settings()
    create_topics(settings.kafka)
    threading.Thread(target=feed, args=(settings,), daemon=True).start()
    identity = SlotIdentity(SensorProcessing.name, 1, 0, 1, "test")
    operator = SensorProcessing(settings.processing, identity.code_version)
    SlotLoop(lambda: Slot(operator, settings, identity), settings, identity).run()


if __name__ == "__main__":
    main()
