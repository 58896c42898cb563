"""What is known of each sensor's boots: lines of time, watermarks, numbers seen."""

from dataclasses import dataclass, field

from pipelines.settings import ProcessingSettings
from pipelines.verify.coverage import Coverage, Interval

NEVER_US = -(2**62)
OF_EARLIER = -1
"""The boot of frames from before the check began, whose number is not known."""


@dataclass
class Rules:
    """The settings that say how samples are placed and windows close, in microseconds."""

    sample_rate_hz: float
    period_us: float
    lateness_us: int
    window_us: int
    max_future_us: int
    silence_ticks: int
    forget_ticks: int

    @classmethod
    def of(cls, settings: ProcessingSettings) -> "Rules":
        """Take them from the settings."""
        return cls(
            sample_rate_hz=settings.sample_rate_hz,
            period_us=1e6 / settings.sample_rate_hz,
            lateness_us=round(settings.lateness_s * 1e6),
            window_us=round(settings.window_s * 1e6),
            max_future_us=round(settings.max_future_s * 1e6),
            silence_ticks=settings.silence_ticks,
            forget_ticks=settings.forget_ticks,
        )

    def closed_until(self, latest_us: int) -> int:
        """Return the end of the windows that a largest timestamp closes."""
        return (latest_us - self.lateness_us) // self.window_us * self.window_us


@dataclass
class Boot:
    """One boot of one sensor, as its rows tell it."""

    coverage: Coverage
    first_us: int
    latest_us: int
    anchor: int
    """Base sample number of its newest frame, and the timestamp of that."""
    anchor_us: int
    closed_end_us: int = NEVER_US
    """End of the last window published."""
    last_closed_sample: int | None = None
    late: list[tuple[int, int]] = field(default_factory=list)
    """Late samples not yet told by a window: (raw offset, how many)."""
    frames: int = 0
    samples: int = 0
    base_sum: int = 0
    end_sample: int = 0
    """These four count what was received since the report's fleet started."""

    def off_line_us(self, base: int, timestamp_us: int, period_us: float) -> float:
        """Return how far a frame's timestamp is from the boot's line of time."""
        return timestamp_us - self.anchor_us - (base - self.anchor) * period_us

    def move(self, base: int, timestamp_us: int, last_us: int, rules: Rules) -> None:
        """Move the line and the largest timestamp on to a frame's end."""
        if abs(self.off_line_us(base, timestamp_us, rules.period_us)) > rules.lateness_us:
            if base < self.anchor:
                return  # A straggler on the line before a clock step.
            # Where the clock was set back, a new watermark begins.
            self.latest_us = min(self.latest_us, timestamp_us)
        self.latest_us = max(self.latest_us, last_us)
        if base >= self.anchor:
            self.anchor, self.anchor_us = base, timestamp_us


@dataclass
class Sensor:
    """All boots of one sensor."""

    boots: dict[int, Boot] = field(default_factory=dict)
    latest: int = OF_EARLIER
    last_tick: int = 0
    heartbeats: int = 0
    """Since the last rows; each may have begun a boot of its own."""
    heartbeat_us: int = NEVER_US
    """The largest timestamp of a heartbeat, which closes windows that hold no rows yet."""
    earlier: Coverage | None = None
    records: int = 0
    """Received since the report's fleet started; ``waiting`` those not yet processed."""
    waiting: int = 0

    def boot(self, number: int, frame_base: int, frame_us: int, rules: Rules) -> Boot:
        """Return a boot, beginning it with this frame where it is new."""
        boot = self.boots.get(number)
        if boot is None:
            coverage = Coverage(rules.period_us, rules.lateness_us)
            boot = Boot(coverage, frame_us, frame_us, frame_base, frame_us)
            self.boots[number] = boot
        self.latest = max(self.latest, number)
        return boot

    def unseen(self, interval: Interval) -> list[tuple[int, int]]:
        """Return the sample numbers of a frame that no boot has at the frame's time."""
        candidates = [self.boots[n].coverage for n in sorted(self.boots, reverse=True)]
        if self.earlier is not None:
            candidates.append(self.earlier)
        missing = [(interval.start, interval.end)]
        for coverage in candidates:
            missing = [
                part
                for start, end in missing
                for part in coverage.unlike(start, end, round(interval.time_us(start)))
            ]
            if not missing:
                break
        return missing

    def must_be_closed(self, number: int, end_us: int, ticks: int, rules: Rules) -> bool:
        """Say whether a window of a boot that ends at ``end_us`` must have been published."""
        if ticks - self.last_tick >= rules.silence_ticks or number < self.latest - 1:
            return True
        newer = self.boots.get(number + 1)
        if newer is not None and newer.latest_us - newer.first_us >= rules.lateness_us:
            return True
        return end_us <= rules.closed_until(self.boots[number].latest_us)
