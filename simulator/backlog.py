"""A fleet's payloads without a broker: for tests, and for backlogs produced to Kafka directly."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipelines.errors import ConfigurationError
from simulator.ground_truth import write_ground_truth
from simulator.options import FleetOptions
from simulator.report import Report, Tally
from simulator.schedule import Batch, Schedule
from simulator.timetable import Timetable


class Payload(NamedTuple):
    """What one sensor publishes at one moment (microseconds since the epoch)."""

    time_us: int
    sensor_id: str
    payload: bytes


def start_of(options: FleetOptions) -> int:
    """Return when the fleet starts, microseconds since the epoch.

    Raises:
        ConfigurationError: a backlog has no end.
    """
    if options.start_us is not None:
        return options.start_us
    now_us = time.time_ns() // 1000
    if not options.as_fast_as_possible:
        return now_us
    if options.seconds is None:
        raise ConfigurationError("a backlog must end: give the number of seconds")
    return now_us - int((options.seconds + options.frame_period_s) * 1e6)


def batches(schedule: Timetable, period_s: float) -> Iterator[Batch]:
    """Yield everything a schedule holds without waiting, about one frame a sensor at a time."""
    while (due_s := schedule.next_due_s) != float("inf"):
        yield schedule.step(due_s + period_s / 2)
    yield schedule.flush()


class Backlog:
    """The payloads of a fleet; ``report()`` tells what has been taken from it so far."""

    def __init__(self, options: FleetOptions) -> None:
        self._options = options
        self._schedule = Schedule(options, start_of(options))
        self._tally = Tally(options)

    def __iter__(self) -> Iterator[Payload]:
        """Yield the payloads in the order of their time."""
        ids = self._options.sensor_ids()
        for batch in batches(self._schedule, self._options.frame_period_s):
            self._tally.add(batch)
            for message in batch.messages:
                yield Payload(message.due_us, ids[message.sensor], message.payload)

    def write_ground_truth(self, path: Path) -> None:
        """Write the true motion behind what has been taken so far as a Parquet file."""
        write_ground_truth(path, self._options, self._schedule)

    def report(self) -> Report:
        """Return what was sent, as for a fleet that published it."""
        return self._tally.report(self._schedule, acknowledged=None)


def payloads(options: FleetOptions) -> Iterator[Payload]:
    """Yield a fleet's payloads in the order of their time, as fast as they are taken."""
    return iter(Backlog(options))
