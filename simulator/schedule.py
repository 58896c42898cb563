"""The fleet's messages in the order of their time; no clock and no network in it."""

from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simulator.faults import (
    Draw,
    Fault,
    clock_drifts,
    clock_offsets_us,
    corrupted,
    cut_short,
    frame_faults,
    motion_phases,
    reboots,
    silent,
    uniform,
)
from simulator.frame_encoder import encode_frames
from simulator.library import MAX_VARIANTS, Library, loop_samples
from simulator.options import FAULT_SHARES, FleetOptions

Ints = npt.NDArray[np.int64]


class Outcome(IntEnum):
    """What became of a frame. From LOST on, nothing was sent."""

    GOOD = 0
    REORDERED = 1
    DUPLICATE = 2
    BAD_CRC = 3
    CUT = 4
    HEARTBEAT = 5
    LOST = 6
    SILENT = 7


class Message(NamedTuple):
    """One message as a sensor publishes it. ``row`` is its boot's row in Schedule.boots."""

    sensor: int
    row: int
    outcome: Outcome
    base: int
    samples: int
    timestamp_us: int
    due_us: int
    payload: bytes


class Boot(NamedTuple):
    """One boot of one sensor: its numbering starts at 0 with this frame."""

    sensor: int
    first_frame: int


class Batch(NamedTuple):
    """What is due at once: the messages in order, and the boot rows of frames not sent."""

    messages: list[Message]
    lost: list[int]
    silent: list[int]


class _Due(NamedTuple):
    """Columns of the frames that are due, one each of some sensors."""

    sensors: Ints
    frames: Ints
    rows: Ints
    bases: Ints
    timestamps_us: Ints
    due_us: Ints
    faults: npt.NDArray[np.int8]
    silent: npt.NDArray[np.bool_]
    heartbeat: npt.NDArray[np.bool_]


class Schedule:
    """Yields each sensor's frames when their last sample is taken, staggered over the fleet."""

    def __init__(self, options: FleetOptions, start_us: int) -> None:
        self._options = options
        self.start_us = start_us
        """When the fleet starts, microseconds since the epoch; set it before the first step."""
        count = options.sensors
        self._variants = min(count, MAX_VARIANTS)
        self._library = Library(
            options.motion, options.rate_hz, options.seed, self._variants, options.samples_per_frame
        )
        self.offsets_us = clock_offsets_us(options)
        self.stagger_s = np.arange(count) / count * options.frame_period_s
        self.phases = motion_phases(options, loop_samples(options.rate_hz))
        self._speed = 1 + clock_drifts(options)
        self._frame = np.zeros(count, dtype=np.int64)
        self._row = np.arange(count)
        self._due_s = self._due(np.arange(count), self._frame)
        self.next_due_s = float(self._due_s.min())
        """When the next frame is due, in seconds from the start; infinite when all are sent."""
        self.boots = [Boot(sensor, 0) for sensor in range(count)]
        self._held: dict[int, list[Message]] = {}
        shares = (*FAULT_SHARES, "heartbeats", "reboot", "silence")
        self._perfect = not any(getattr(options, name) for name in shares)

    def _due(self, sensors: Ints, frames: Ints) -> npt.NDArray[np.float64]:
        """Return when a frame's last sample is taken, in true seconds from the start."""
        device_s = self.stagger_s[sensors] + (frames + 1) * self._options.frame_period_s
        return np.asarray(device_s / self._speed[sensors], dtype=np.float64)

    def timestamps_us(self, sensors: Ints, frames: Ints) -> Ints:
        """Return the device's time of each frame's first sample, microseconds since the epoch."""
        device_s = self.stagger_s[sensors] + frames * self._options.frame_period_s
        device_us = np.rint(device_s * 1e6).astype(np.int64)
        return np.asarray(self.start_us + self.offsets_us[sensors] + device_us)

    @property
    def frames(self) -> Ints:
        """How many frames each sensor has measured so far, ``(sensors,)``."""
        return self._frame

    def step(self, until_s: float) -> Batch:
        """Return what is due by then, one frame of a sensor at most, and go on past it."""
        sensors = np.flatnonzero(self._due_s <= until_s)
        sensors = sensors[np.argsort(self._due_s[sensors], kind="stable")]
        if not len(sensors):
            return Batch([], [], [])
        due = self._take(sensors)
        sent = np.flatnonzero(~due.silent & (due.faults != Fault.LOST))
        starts = self.phases[sensors[sent]] + due.frames[sent] * self._options.samples_per_frame
        payloads = encode_frames(
            due.bases[sent],
            due.timestamps_us[sent],
            self._library.frames(sensors[sent] % self._variants, starts),
        )
        messages = self._messages(due, sent, payloads)
        if not self._perfect:
            messages = self._with_faults(due, dict(zip(sent.tolist(), messages, strict=True)))
        lost = due.rows[~due.silent & (due.faults == Fault.LOST)]
        return Batch(messages, lost.tolist(), due.rows[due.silent].tolist())

    def flush(self) -> Batch:
        """Return what was held back for a next frame that will not come."""
        messages = [message for held in self._held.values() for message in held]
        self._held.clear()
        return Batch(messages, [], [])

    def _take(self, sensors: Ints) -> _Due:
        """Take the next frame of each of these sensors and move them on."""
        options, frames = self._options, self._frame[sensors].copy()
        faults = np.zeros(len(sensors), dtype=np.int8)
        quiet = heartbeat = np.zeros(len(sensors), dtype=np.bool_)
        if not self._perfect:
            quiet = silent(options, sensors, frames)
            # A reboot in a silence, or one whose first frame is lost, can look like a clock that
            # was set: the numbers may go on where they ended. No reader could tell, so none is.
            booting = reboots(options, sensors, frames) & ~quiet
            for place in np.flatnonzero(booting):
                self._row[sensors[place]] = len(self.boots)
                self.boots.append(Boot(int(sensors[place]), int(frames[place])))
            faults = np.where(booting, Fault.NONE, frame_faults(options, sensors, frames))
            heartbeat = uniform(options.seed, Draw.HEARTBEAT, sensors, frames) < options.heartbeats
        rows = self._row[sensors].copy()
        first = np.array([self.boots[row].first_frame for row in rows.tolist()], dtype=np.int64)
        due = _Due(
            sensors,
            frames,
            rows,
            (frames - first) * options.samples_per_frame,
            self.timestamps_us(sensors, frames),
            self.start_us + np.rint(self._due_s[sensors] * 1e6).astype(np.int64),
            faults,
            quiet,
            heartbeat & ~quiet,
        )
        self._frame[sensors] += 1
        limit = options.frames_per_sensor
        self._due_s[sensors] = self._due(sensors, self._frame[sensors])
        if limit is not None:
            self._due_s[sensors[self._frame[sensors] >= limit]] = np.inf
        self.next_due_s = float(self._due_s.min())
        return due

    def _messages(self, due: _Due, sent: Ints, payloads: list[bytes]) -> list[Message]:
        columns = zip(
            due.sensors[sent].tolist(),
            due.rows[sent].tolist(),
            due.bases[sent].tolist(),
            due.timestamps_us[sent].tolist(),
            due.due_us[sent].tolist(),
            payloads,
            strict=True,
        )
        count = self._options.samples_per_frame
        return [
            Message(sensor, row, Outcome.GOOD, base, count, timestamp_us, due_us, payload)
            for sensor, row, base, timestamp_us, due_us, payload in columns
        ]

    def _with_faults(self, due: _Due, frames: dict[int, Message]) -> list[Message]:
        """Return the messages with faults done to them, held ones let go, heartbeats added."""
        places = uniform(self._options.seed, Draw.PLACE, due.sensors, due.frames)
        messages: list[Message] = []
        for i, (sensor, fault) in enumerate(
            zip(due.sensors.tolist(), due.faults.tolist(), strict=True)
        ):
            released = self._held.pop(sensor, [])
            frame = frames.get(i)
            if frame is not None:
                messages += self._suffer(frame, Fault(fault), float(places[i]))
            due_us = int(due.due_us[i])
            messages += [message._replace(due_us=due_us) for message in released]
            if due.heartbeat[i]:
                messages.append(self._heartbeat(due, i))
        return messages

    def _suffer(self, frame: Message, fault: Fault, place: float) -> list[Message]:
        """Return what is sent of a frame now; what is sent later is held."""
        if fault == Fault.BAD_CRC:
            broken = corrupted(frame.payload, place)
            return [frame._replace(outcome=Outcome.BAD_CRC, payload=broken)]
        if fault == Fault.CUT:
            return [frame._replace(outcome=Outcome.CUT, payload=cut_short(frame.payload, place))]
        if fault == Fault.REORDER:
            self._hold(frame._replace(outcome=Outcome.REORDERED))
            return []
        if fault == Fault.DUPLICATE:
            copy = frame._replace(outcome=Outcome.DUPLICATE)
            if place < 0.5:
                return [frame, copy]
            self._hold(copy)
        return [frame]

    def _hold(self, message: Message) -> None:
        self._held.setdefault(message.sensor, []).append(message)

    def _heartbeat(self, due: _Due, i: int) -> Message:
        """Return the frame of no samples that stands where the sensor's next sample will."""
        base = int(due.bases[i]) + self._options.samples_per_frame
        next_us = self.timestamps_us(due.sensors[i : i + 1], due.frames[i : i + 1] + 1)
        payload = encode_frames(np.array([base]), next_us, np.empty((1, 0), dtype=np.uint8))[0]
        return Message(
            int(due.sensors[i]),
            int(due.rows[i]),
            Outcome.HEARTBEAT,
            base,
            0,
            int(next_us[0]),
            int(due.due_us[i]),
            payload,
        )
