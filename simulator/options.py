"""What a fleet of simulated sensors does: its size, its motion and its faults."""

from dataclasses import dataclass, fields
from pathlib import Path

from pipelines.errors import ConfigurationError
from simulator.frame_encoder import MAX_SAMPLES
from simulator.motion import PROFILES

DEFAULT_SENSORS = 20
FAULT_SHARES = ("lost", "bad_crc", "cut", "duplicates", "reorder")
"""Faults of a frame; a frame has one at most, so their shares may not add up to more than 1."""
SENSOR_SHARES = ("heartbeats", "reboot", "silence", "future_clock")


@dataclass(frozen=True)
class FleetOptions:
    """A fleet. Shares lie in 0..1; the same options give the same bytes when start_us is given.

    seconds:            how long every sensor measures; None: until stopped
    duplicates:         share of frames sent twice, at once or after the next frame
    lost:               share of frames never sent
    bad_crc, cut:       share of frames with a bit flipped; with their end missing
    reorder:            share of frames sent after their successor
    heartbeats:         share of frames followed by a frame of no samples
    reboot:             share of sensors that reboot in each 10 s; a boot lasts 6 s or longer
    silence:            share of sensors that send nothing for 12 to 18 s in each 30 s
    future_clock:       share of sensors whose clock is ten years ahead
    clock_offset_s:     device clocks are off by up to this much either way
    clock_drift_ppm:    device clocks run fast or slow by up to this much
    max_future_s:       a frame further ahead than this is expected among the dead letters
    start_us:           when the fleet starts, microseconds since the epoch; None: now, or for a
                        backlog so that it ends now
    as_fast_as_possible: do not wait for a frame's time: make a backlog
    """

    sensors: int = DEFAULT_SENSORS
    rate_hz: float = 200.0
    samples_per_frame: int = 64
    seconds: float | None = None
    seed: int = 0
    motion: str = "mixed"
    sensor_prefix: str = "sensor"
    duplicates: float = 0.0
    lost: float = 0.0
    bad_crc: float = 0.0
    cut: float = 0.0
    reorder: float = 0.0
    heartbeats: float = 0.0
    reboot: float = 0.0
    silence: float = 0.0
    future_clock: float = 0.0
    clock_offset_s: float = 0.0
    clock_drift_ppm: float = 0.0
    max_future_s: float = 60.0
    start_us: int | None = None
    as_fast_as_possible: bool = False
    ground_truth: Path | None = None
    sent_log: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated.

        Raises:
            ConfigurationError: an option is out of its range; the message names it.
        """
        self._check(self.sensors >= 1, "sensors", "1 or more")
        self._check(0 < self.rate_hz <= 100_000, "rate_hz", "above 0 and at most 100000")
        self._check(1 <= self.samples_per_frame <= MAX_SAMPLES, "samples_per_frame", "1 to 3276")
        self._check(self.seconds is None or self.seconds > 0, "seconds", "above 0")
        self._check(self.seed >= 0, "seed", "0 or more")
        self._check(self.motion in PROFILES, "motion", "one of " + ", ".join(PROFILES))
        self._check(not set(self.sensor_prefix) & set("/+#"), "sensor_prefix", "without / + #")
        for name in (*FAULT_SHARES, *SENSOR_SHARES):
            self._check(0 <= getattr(self, name) <= 1, name, "0 to 1")
        self._check(self.clock_offset_s >= 0, "clock_offset_s", "0 or more")
        self._check(0 <= self.clock_drift_ppm <= 10_000, "clock_drift_ppm", "0 to 10000")
        if sum(getattr(self, name) for name in FAULT_SHARES) > 1:
            raise ConfigurationError(
                f"the shares of {', '.join(FAULT_SHARES)} add up to more than 1; lower them"
            )

    def _check(self, good: bool, name: str, allowed: str) -> None:
        if not good:
            raise ConfigurationError(
                f"simulator option {name}: must be {allowed} (got {getattr(self, name)!r})"
            )

    @property
    def frame_period_s(self) -> float:
        """How long one frame's samples take on a clock without drift, in seconds."""
        return self.samples_per_frame / self.rate_hz

    @property
    def frames_per_sensor(self) -> int | None:
        """How many frames each sensor measures, at least one; None: no end."""
        if self.seconds is None:
            return None
        return max(1, int(self.seconds * self.rate_hz // self.samples_per_frame))

    def sensor_ids(self) -> list[str]:
        """Return the sensors' ids in order: prefix1, prefix2, ..."""
        return [f"{self.sensor_prefix}{number}" for number in range(1, self.sensors + 1)]

    def as_json(self) -> dict[str, object]:
        """Return the options as JSON can hold them."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {k: str(v) if isinstance(v, Path) else v for k, v in values.items()}
