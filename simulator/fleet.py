"""Run a fleet of sensors against an MQTT broker."""

import time
from collections.abc import Callable
from typing import NamedTuple

from pipelines.settings import MqttSettings
from simulator.backlog import start_of
from simulator.ground_truth import write_ground_truth
from simulator.options import FleetOptions
from simulator.publisher import Publisher
from simulator.report import Report, Tally
from simulator.schedule import Batch, Schedule
from simulator.sent_log import SentLog

__all__ = ["FleetOptions", "Progress", "Report", "run"]

TICK_S = 0.004
"""How often the fleet looks for frames that are due: what a wake-up costs against delay."""
PROGRESS_S = 0.25
MAX_OWN_CONNECTIONS = 50
SHARED_CONNECTIONS = 4
_BACKLOG_FRAMES = 2_048


class Progress(NamedTuple):
    """How far a running fleet is."""

    elapsed_s: float
    published: int
    acknowledged: int
    samples: int


class _Fleet:
    """A schedule on its way through a publisher."""

    def __init__(self, options: FleetOptions, settings: MqttSettings) -> None:
        self._options = options
        self._ids = options.sensor_ids()
        self._topics = [f"imu/{sensor_id}" for sensor_id in self._ids]
        self.start_us = start_of(options)
        self.schedule = Schedule(options, self.start_us)
        self.tally = Tally(options)
        self.publisher = Publisher(client_ids(options), settings)
        self.log = SentLog(options.sent_log, self._ids) if options.sent_log else None

    def publish(self, batch: Batch) -> None:
        """Give a batch to the publisher and count it."""
        self.tally.add(batch)
        for message in batch.messages:
            if self.log is not None:
                self.log.add(message, time.time_ns() // 1000)
            self.publisher.put(message.sensor, self._topics[message.sensor], message.payload)


def client_ids(options: FleetOptions) -> list[str]:
    """Return the MQTT client ids: one a sensor in a small fleet, a few shared in a large one."""
    if options.sensors <= MAX_OWN_CONNECTIONS:
        return options.sensor_ids()
    return [
        f"{options.sensor_prefix}-fleet-{number}" for number in range(1, SHARED_CONNECTIONS + 1)
    ]


def run(
    options: FleetOptions,
    settings: MqttSettings,
    progress: Callable[[Progress], None] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Report:
    """Publish a fleet's frames until its time is over or ``stopped()``; wait for every PUBACK.

    Raises:
        ConfigurationError: an option cannot be.
        UnavailableError: the broker is away or refuses.
    """
    fleet = _Fleet(options, settings)
    fleet.publisher.open()
    try:
        began = time.monotonic()
        reported = began
        while fleet.schedule.next_due_s != float("inf") and not stopped():
            elapsed_s = time.monotonic() - began
            if not fleet.publisher.full:
                fleet.publish(fleet.schedule.step(_until(fleet, options, elapsed_s)))
            fleet.publisher.pump()
            now = time.monotonic()
            if progress is not None and now - reported >= PROGRESS_S:
                reported = now
                progress(_progress(fleet, now - began))
            _wait(fleet, options, began)
        fleet.publish(fleet.schedule.flush())
        fleet.publisher.drain()
        if progress is not None:
            progress(_progress(fleet, time.monotonic() - began))
    finally:
        fleet.publisher.close()
        if fleet.log is not None:
            fleet.log.close()
    if options.ground_truth is not None:
        write_ground_truth(options.ground_truth, options, fleet.schedule)
    return fleet.tally.report(fleet.schedule, fleet.start_us, fleet.publisher.acknowledged)


def _until(fleet: _Fleet, options: FleetOptions, elapsed_s: float) -> float:
    """Return up to which moment of the fleet's time frames are sent now."""
    if not options.as_fast_as_possible:
        return elapsed_s
    share = min(1.0, _BACKLOG_FRAMES / options.sensors)
    return fleet.schedule.next_due_s + share * options.frame_period_s / 2


def _wait(fleet: _Fleet, options: FleetOptions, began: float) -> None:
    if options.as_fast_as_possible:
        if fleet.publisher.full:
            time.sleep(TICK_S)
        return
    behind_s = time.monotonic() - began - fleet.schedule.next_due_s
    if behind_s < 0 or fleet.publisher.full:
        time.sleep(TICK_S)


def _progress(fleet: _Fleet, elapsed_s: float) -> Progress:
    return Progress(
        elapsed_s, fleet.tally.published, fleet.publisher.acknowledged, fleet.tally.samples
    )
