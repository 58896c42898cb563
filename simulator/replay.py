"""A fleet that sends recordings: each sensor plays one, from its first sample to its last."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from pipelines.errors import ConfigurationError, DataError
from simulator.frame_encoder import encode_frames
from simulator.options import FAULT_SHARES, SENSOR_SHARES, FleetOptions
from simulator.readings import counts_of, sample_records
from simulator.recording import Recording
from simulator.report import Replayed
from simulator.resampling import resampled, spans
from simulator.schedule import Batch, Boot, Message, Outcome

Ints = npt.NDArray[np.int64]

_SIMULATED_ONLY: Final = (
    *FAULT_SHARES,
    *SENSOR_SHARES,
    "clock_offset_s",
    "clock_drift_ppm",
    "ground_truth",
)


class _Played(NamedTuple):
    """A recording as frames.

    samples: ``(m, 20) uint8``;  rows: ``(f, 2)`` first row and count;  base: ``(f,)`` numbers
    """

    name: str
    samples: npt.NDArray[np.uint8]
    rows: Ints
    base: Ints
    saturated: int
    missing: int


class Replay:
    """The timetable of recordings; sensor k plays recording k, modulo their number.

    Frames are numbered and timed on the device's grid from when the fleet starts; the time at
    which a recording was made is not sent. Faults are the simulated fleet's alone.
    """

    def __init__(
        self,
        options: FleetOptions,
        recordings: Sequence[Recording],
        max_gap_s: float,
        start_us: int,
    ) -> None:
        """Resample and quantise the recordings.

        Raises:
            ConfigurationError: the options ask for faults or for ground truth.
            DataError: a recording is shorter than one sample of the grid.
        """
        _refuse_what_is_simulated(options)
        self._options = options
        self.start_us = start_us
        used = recordings[: options.sensors]
        self._played = [_play(options, recording, max_gap_s) for recording in used]
        count = options.sensors
        self._of = np.arange(count) % len(self._played)
        self._stagger_s = np.arange(count) / count * options.frame_period_s
        self._frame = np.zeros(count, dtype=np.int64)
        self._due_s = np.array([self._due(sensor) for sensor in range(count)])
        self.next_due_s = float(self._due_s.min())
        self.boots = [Boot(sensor, 0) for sensor in range(count)]

    @property
    def offsets_us(self) -> Ints:
        """No device's clock is off."""
        return np.zeros(self._options.sensors, dtype=np.int64)

    def step(self, until_s: float) -> Batch:
        """Return what is due by then, one frame of a sensor at most, and go on past it."""
        sensors = np.flatnonzero(self._due_s <= until_s)
        sensors = sensors[np.argsort(self._due_s[sensors], kind="stable")]
        messages = [self._message(sensor) for sensor in sensors.tolist()]
        for sensor in sensors.tolist():
            self._frame[sensor] += 1
            self._due_s[sensor] = self._due(sensor)
        self.next_due_s = float(self._due_s.min())
        return Batch(messages, [], [])

    def flush(self) -> Batch:
        """Return nothing: a replay holds nothing back."""
        return Batch([], [], [])

    def replayed(self) -> Replayed:
        """Return what the report says of the recordings."""
        played = [self._played[number] for number in self._of.tolist()]
        return Replayed(
            [one.name for one in played],
            [len(one.samples) for one in played],
            [one.missing for one in played],
            [one.saturated for one in played],
        )

    def _due(self, sensor: int) -> float:
        """Return when a sensor's next frame is complete, in seconds from the start."""
        played, frame = self._played[self._of[sensor]], self._frame[sensor]
        limit_s = self._options.seconds
        if frame >= len(played.rows):
            return float("inf")
        end_s = float(played.base[frame] + played.rows[frame, 1]) / self._options.rate_hz
        if limit_s is not None and end_s > limit_s:
            return float("inf")
        return float(self._stagger_s[sensor]) + end_s

    def _message(self, sensor: int) -> Message:
        played, frame = self._played[self._of[sensor]], self._frame[sensor]
        first, count = played.rows[frame].tolist()
        base = int(played.base[frame])
        taken_s = float(self._stagger_s[sensor]) + base / self._options.rate_hz
        timestamp_us = self.start_us + round(taken_s * 1e6)
        samples = played.samples[first : first + count].reshape(1, -1)
        payload = encode_frames(np.array([base]), np.array([timestamp_us]), samples)[0]
        due_us = self.start_us + round(float(self._due_s[sensor]) * 1e6)
        return Message(sensor, sensor, Outcome.GOOD, base, count, timestamp_us, due_us, payload)


def _refuse_what_is_simulated(options: FleetOptions) -> None:
    asked = [name for name in _SIMULATED_ONLY if getattr(options, name)]
    if asked:
        raise ConfigurationError(
            f"a replay sends recordings as they are: leave out {', '.join(asked)}"
        )


def _play(options: FleetOptions, recording: Recording, max_gap_s: float) -> _Played:
    taken = resampled(recording, options.rate_hz, max_gap_s)
    if len(taken.number) < 2:
        raise DataError(
            f"{recording.name} is {recording.span_s:g} s long, less than two samples at "
            f"{options.rate_hz:g} Hz; replay a longer recording"
        )
    counts, saturated = counts_of(taken.readings)
    rows = spans(taken.number, options.samples_per_frame)
    return _Played(
        recording.name,
        sample_records(counts, taken.temperature),
        rows,
        taken.number[rows[:, 0]],
        saturated,
        int(taken.number[-1]) + 1 - len(taken.number),
    )
