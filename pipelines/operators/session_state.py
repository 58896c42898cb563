"""The state of one partition's sessions, and how it is saved for the changelog.

A sensor is saved under ``s/{sensor_id}`` as JSON, an array that begins with the layout's version.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from pipelines.errors import DataError
from pipelines.operators.due_ticks import DueTicks
from pipelines.operators.session_windows import MotionWindow, VelocityWindow

LAYOUT_VERSION: Final = 1
KEY_PREFIX: Final = b"s/"
COUNTS: Final = (
    "records",
    "ticks",
    "windows",
    "motion_windows",
    "velocity_windows",
    "velocity_unmatched",
    "sessions_started",
    "sessions_closed",
    "sessions_reopened",
    "events",
    "dead_letters",
    "samples",
)
ClosedBy = Literal["gap", "silence"]


class Session(msgspec.Struct, array_like=True, gc=False):
    """One session; ticks are counted from the partition's first.

    ``id_us``:       start of its first window seen, for its id
    ``told_tick``:   of its last event; ``untold`` says whether it has changed since
    ``motion_tick``: of its last motion window
    ``closed_tick``: when it was last closed; ``closed_by`` is None while it is open
    """

    id_us: int
    start_us: int
    end_us: int
    first_boot: int
    last_boot: int
    windows: int = 0
    samples: int = 0
    gaps: int = 0
    late: int = 0
    acc_mag_max: float = 0.0
    gyro_mag_max: float = 0.0
    velocity_windows: int = 0
    velocity_max: float | None = None
    distance_m: float | None = None
    revision: int = 0
    told_tick: int = 0
    untold: bool = False
    motion_tick: int = 0
    closed_tick: int = 0
    closed_by: ClosedBy | None = None

    @classmethod
    def begin(cls, window: MotionWindow) -> "Session":
        """Return a session of this window."""
        session = cls(window.start_us, window.start_us, window.end_us, window.boot, window.boot)
        session.acc_mag_max, session.gyro_mag_max = window.acc_mag.max, window.gyro_mag.max
        session.add(window)
        return session

    def add(self, window: MotionWindow) -> None:
        """Take a motion window in; the span may grow."""
        self.start_us = min(self.start_us, window.start_us)
        self.end_us = max(self.end_us, window.end_us)
        self.first_boot = min(self.first_boot, window.boot)
        self.last_boot = max(self.last_boot, window.boot)
        self.windows += 1
        self.samples += window.samples
        self.gaps += window.gaps
        self.late += window.late
        self.acc_mag_max = max(self.acc_mag_max, window.acc_mag.max)
        self.gyro_mag_max = max(self.gyro_mag_max, window.gyro_mag.max)

    def add_velocity(self, velocity_max: float, distance_m: float) -> None:
        """Take a velocity window in; distances are summed in the order in which they come."""
        self.velocity_windows += 1
        self.velocity_max = (
            velocity_max if self.velocity_max is None else max(self.velocity_max, velocity_max)
        )
        self.distance_m = distance_m + (self.distance_m or 0.0)

    def apart_us(self, window: MotionWindow) -> int:
        """Return how far a window is from the span, 0 inside it."""
        return max(0, window.start_us - self.end_us, self.start_us - window.end_us)


class Waiting(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A velocity window that came before its motion window, at ``tick``."""

    start_us: int
    velocity_max: float
    distance_m: float
    tick: int


class SensorSessions(msgspec.Struct, array_like=True):
    """The sessions of a sensor that are kept, in the order in which they began."""

    layout: int = LAYOUT_VERSION
    sessions: list[Session] = []
    waiting: list[Waiting] = []

    def open_session(self) -> Session | None:
        """Return the session that is open, of which there is one at the most."""
        return next((s for s in self.sessions if s.closed_by is None), None)

    def nearest(self, window: MotionWindow, gap_us: int) -> Session | None:
        """Return the session that a motion window joins, if there is one."""
        if not self.sessions:
            return None
        nearest = min(self.sessions, key=lambda s: (s.apart_us(window), s.start_us))
        return nearest if nearest.apart_us(window) <= gap_us else None

    def containing(self, window: VelocityWindow) -> Session | None:
        """Return the session that a velocity window belongs to, if it is there yet."""
        found = [s for s in self.sessions if s.start_us <= window.start_us < s.end_us]
        return min(found, key=lambda s: s.start_us, default=None)


class PartitionSessions:
    """The sensors of one partition that have anything kept, and what of them has changed."""

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.sensors: dict[bytes, SensorSessions] = {}
        self.due = DueTicks()
        self.changed: set[bytes] = set()
        self.counts = dict.fromkeys(COUNTS, 0)

    @property
    def tick(self) -> int:
        """How many ticks there were."""
        return self.counts["ticks"]

    def sensor(self, key: bytes) -> SensorSessions:
        """Return a sensor's sessions, to be changed."""
        self.changed.add(key)
        sensor = self.sensors.get(key)
        if sensor is None:
            sensor = self.sensors[key] = SensorSessions()
        return sensor

    def take_changes(self) -> list[tuple[bytes, bytes | None]]:
        """Return the sensors changed since the last call, None for one with nothing left."""
        changed, self.changed = sorted(self.changed), set()
        return [
            (KEY_PREFIX + key, _ENCODER.encode(self.sensors[key]) if key in self.sensors else None)
            for key in changed
        ]


_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(SensorSessions)


def restore(
    partition: int, records: Iterable[tuple[bytes, bytes]], counts: Mapping[str, int]
) -> PartitionSessions:
    """Return the state that was saved; nothing is due yet.

    Raises:
        DataError: a record was not saved by this layout.
    """
    state = PartitionSessions(partition)
    state.counts.update({name: counts.get(name, 0) for name in COUNTS})
    for key, value in records:
        state.sensors[key.removeprefix(KEY_PREFIX)] = _decode(key, value)
    return state


def _decode(key: bytes, value: bytes) -> SensorSessions:
    fault = f"begins with {value[:8]!r}"
    if value.startswith(b"[%d," % LAYOUT_VERSION):
        try:
            return _DECODER.decode(value)
        except msgspec.DecodeError as error:
            fault = str(error)
    raise DataError(
        f"the state of {key!r} in the changelog is not of layout {LAYOUT_VERSION}, which this code "
        f"reads: it {fault}; run the code that wrote it, or rebuild the state from the input"
    )
