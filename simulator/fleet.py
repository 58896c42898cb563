"""Run a fleet of sensors, simulated or replayed, against an MQTT broker."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pipelines.settings import MqttSettings
from simulator.backlog import start_of
from simulator.command_answers import answering
from simulator.ground_truth import write_ground_truth
from simulator.options import FleetOptions
from simulator.publisher import Publisher
from simulator.recording import Recording
from simulator.replay import Replay
from simulator.report import Report, Tally
from simulator.schedule import Batch, Message, Schedule
from simulator.sent_log import SentLog
from simulator.timetable import Timetable

__all__ = ["FleetOptions", "Progress", "Report", "run", "run_replay"]

TICK_S = 0.004
"""How often the fleet looks for frames that are due: what a wake-up costs against delay."""
MAX_WAIT_S = 0.02
LOOK_AHEAD_S = 0.05
"""How far ahead of their time frames are made, so that each batch is worth its overhead."""
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
    """A timetable on its way through a publisher."""

    def __init__(self, options: FleetOptions, settings: MqttSettings, schedule: Timetable) -> None:
        self._options = options
        self._topics = [f"imu/{sensor_id}" for sensor_id in options.sensor_ids()]
        self._ahead_s = min(LOOK_AHEAD_S, options.frame_period_s / 2)
        self._ready: deque[Message] = deque()
        self.schedule = schedule
        self.tally = Tally(options)
        self.publisher = Publisher(client_ids(options), settings)
        self.log = SentLog(options.sent_log, options.sensor_ids()) if options.sent_log else None

    def begin(self) -> float:
        """Connect and start the fleet's time now; return the monotonic clock at its start."""
        self.publisher.open()
        self.schedule.start_us = start_of(self._options)
        return time.monotonic()

    @property
    def finished(self) -> bool:
        """Whether every frame has been published."""
        return not self._ready and self.schedule.next_due_s == float("inf")

    def publish_due(self, elapsed_s: float) -> None:
        """Publish what is due; frames are made a little ahead, many at once."""
        now_us = self.schedule.start_us + int(elapsed_s * 1e6)
        while self.schedule.next_due_s <= elapsed_s and not self.publisher.full:
            self._take(self.schedule.step(elapsed_s + self._ahead_s))
            self._publish_until(now_us)
        self._publish_until(now_us)

    def publish_some(self) -> None:
        """Publish the next of a backlog, whenever they are due."""
        share = min(1.0, _BACKLOG_FRAMES / self._options.sensors)
        period_s = self._options.frame_period_s
        self._take(self.schedule.step(self.schedule.next_due_s + share * period_s / 2))
        self.publish_rest()

    def publish_rest(self) -> None:
        """Publish what is made already."""
        if self._ready:
            self._publish_until(max(message.due_us for message in self._ready))

    def finish(self) -> None:
        """Publish what was made or held back, and wait until everything is acknowledged."""
        self._take(self.schedule.flush())
        self.publish_rest()
        self.publisher.drain()

    def wait_s(self, elapsed_s: float) -> float:
        """Return how long nothing is due: at least a tick, and not long enough to delay PUBACKs."""
        due_s = self.schedule.next_due_s
        if self._ready:
            due_s = (self._ready[0].due_us - self.schedule.start_us) / 1e6
        return min(max(due_s - elapsed_s, TICK_S), MAX_WAIT_S)

    def progress(self, elapsed_s: float) -> Progress:
        """Return how far the fleet is."""
        return Progress(
            elapsed_s, self.tally.published, self.publisher.acknowledged, self.tally.samples
        )

    def _take(self, batch: Batch) -> None:
        self.tally.add(batch)
        self._ready.extend(batch.messages)

    def _publish_until(self, due_us: int) -> None:
        ready = self._ready
        while ready and ready[0].due_us <= due_us:
            message = ready.popleft()
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
    schedule = Schedule(options, start_of(options))
    fleet = _Fleet(options, settings, schedule)
    with answering(options.sensor_ids(), _about(options), settings):
        _publish(fleet, options, progress, stopped)
    if options.ground_truth is not None:
        write_ground_truth(options.ground_truth, options, schedule)
    return fleet.tally.report(schedule, fleet.publisher.acknowledged)


def run_replay(
    options: FleetOptions,
    recordings: Sequence[Recording],
    max_gap_s: float,
    settings: MqttSettings,
    progress: Callable[[Progress], None] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Report:
    """Publish recordings until each sensor's is over, as `run` publishes a simulated fleet.

    ``options`` must say how long (see `replayed`), and none of its faults is done.

    Raises:
        DataError: a recording is too short.
        UnavailableError: the broker is away or refuses.
    """
    replay = Replay(options, recordings, max_gap_s, start_of(options))
    fleet = _Fleet(options, settings, replay)
    with answering(options.sensor_ids(), _about(options), settings):
        _publish(fleet, options, progress, stopped)
    return fleet.tally.report(replay, fleet.publisher.acknowledged, replay.replayed())


def _about(options: FleetOptions) -> dict[str, Any]:
    """Return what a device says of itself when it is asked."""
    return {"kind": "simulated", "rate_hz": options.rate_hz, "motion": options.motion}


def _publish(
    fleet: _Fleet,
    options: FleetOptions,
    progress: Callable[[Progress], None] | None,
    stopped: Callable[[], bool],
) -> None:
    """Publish everything, or until stopped, and wait for every PUBACK."""
    try:
        began = reported = fleet.begin()
        while not fleet.finished and not stopped():
            elapsed_s = time.monotonic() - began
            if not fleet.publisher.full:
                if options.as_fast_as_possible:
                    fleet.publish_some()
                else:
                    fleet.publish_due(elapsed_s)
            fleet.publisher.pump()
            now = time.monotonic()
            if progress is not None and now - reported >= PROGRESS_S:
                reported = now
                progress(fleet.progress(now - began))
            if fleet.publisher.full or not options.as_fast_as_possible:
                time.sleep(fleet.wait_s(now - began))
        fleet.finish()
        if progress is not None:
            progress(fleet.progress(time.monotonic() - began))
    finally:
        fleet.publisher.close()
        if fleet.log is not None:
            fleet.log.close()
