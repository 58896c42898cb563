"""Sessions computed again from windows and ticks, written from the contract.

Other than the operator it keeps a clock of heaps, one for each thing that time does, and tells
what must be published rather than publishing it.
"""

from collections import Counter, deque
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import Any

from pipelines.settings import SessionSettings
from pipelines.verify.aggregated_records import Motion, Velocity

WAITING_TICKS = 60
Event = dict[str, Any]
"""An event that must be published, by the names of schemas/session.schema.json."""


@dataclass(eq=False)
class Session:
    """A session, its sums as they are published; ticks are counted from the partition's first."""

    number: int
    """In the order of their beginning."""
    sensor_id: str
    fields: Event
    last_motion: int = 0
    last_event: int = 0
    closed_at: int | None = None
    changed: bool = False
    dropped: bool = False
    silence_awaited: bool = False
    news_awaited: bool = False

    def distance_us(self, start_us: int, end_us: int) -> int:
        """How far a span is from the session's own; not above 0 where they touch."""
        return max(start_us - int(self.fields["end_us"]), int(self.fields["start_us"]) - end_us)

    def holds(self, at_us: int) -> bool:
        """Say whether a time lies in the session."""
        return bool(self.fields["start_us"] <= at_us < self.fields["end_us"])


@dataclass(eq=False)
class Unmatched:
    """A velocity window whose motion window has not come; ``over`` once it has, or too late."""

    window: Velocity
    since: int
    over: bool = False


@dataclass
class Sensor:
    """The sessions of a sensor that are kept, and its velocity windows without one."""

    sessions: list[Session] = field(default_factory=list)
    unmatched: deque[Unmatched] = field(default_factory=deque)


class Alarms:
    """Sessions to look at once a tick has come."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Session]] = []
        self._serial = count()

    def set(self, tick: int, session: Session) -> None:
        """Look at a session at a tick."""
        heappush(self._heap, (tick, next(self._serial), session))

    def due(self, now: int) -> list[Session]:
        """Return the sessions to look at by now, each alarm once."""
        found = []
        while self._heap and self._heap[0][0] <= now:
            found.append(heappop(self._heap)[2])
        return found


class SessionModel:
    """The sessions of one partition. Each method returns the events that its record demands."""

    def __init__(self, settings: SessionSettings) -> None:
        self._settings = settings
        self._gap_us = round(settings.gap_s * 1_000_000)
        self._sensors: dict[str, Sensor] = {}
        self._silences, self._news, self._ends = Alarms(), Alarms(), Alarms()
        self._unmatched: deque[Unmatched] = deque()
        self._told: list[Event] = []
        self._offset = 0
        self.counts: Counter[str] = Counter()

    @property
    def ticks(self) -> int:
        """How many there were."""
        return self.counts["ticks"]

    def known_revision(self, sensor_id: str, session_id: str) -> int:
        """Return the last revision of a session that is kept; 0 without one."""
        for session in self._sensors.get(sensor_id, Sensor()).sessions:
            if session.fields["session_id"] == session_id:
                return int(session.fields["revision"])
        return 0

    def broken(self) -> None:
        """Count a record that is neither window nor tick."""
        self.counts["records"] += 1
        self.counts["dead_letters"] += 1

    def motion(self, offset: int, window: Motion) -> list[Event]:
        """Take a motion window."""
        self._begin(offset)
        self.counts["windows"] += 1
        self.counts["motion_windows"] += 1
        self.counts["samples"] += window.samples
        sensor = self._sensors.setdefault(window.sensor_id, Sensor())
        running = [s for s in sensor.sessions if s.closed_at is None]
        near = [
            (max(0, apart), s.fields["start_us"], s.number, s)
            for s in sensor.sessions
            if (apart := s.distance_us(window.start_us, window.end_us)) <= self._gap_us
        ]
        session = min(near)[3] if near else self._new(sensor, window)
        event = "" if session in running else "reopened" if near else "started"
        if event:
            for other in running:
                if other is not session:
                    self._close(other, "gap")
        self._sum_up(session, window)
        session.last_motion = self.ticks
        self._match(sensor, session)
        if event:
            self._open(sensor, session, event)
        else:
            self._change(session)
        return self._told

    def velocity(self, offset: int, window: Velocity) -> list[Event]:
        """Take a velocity window."""
        self._begin(offset)
        self.counts["windows"] += 1
        self.counts["velocity_windows"] += 1
        sensor = self._sensors.setdefault(window.sensor_id, Sensor())
        holding = [s for s in sensor.sessions if s.holds(window.start_us)]
        if holding:
            session = min(holding, key=lambda s: (s.fields["start_us"], s.number))
            self._travel(session, window)
            self._change(session)
            return self._told
        waiting = Unmatched(window, self.ticks)
        self._unmatched.append(waiting)
        sensor.unmatched.append(waiting)
        while len(sensor.unmatched) > self._settings.pending_windows:
            self._give_up(sensor.unmatched.popleft())
        return self._told

    def tick(self, offset: int) -> list[Event]:
        """Let a second pass."""
        self._begin(offset)
        self.counts["ticks"] += 1
        now = self.ticks
        for session in self._silences.due(now):
            session.silence_awaited = False
            if session.closed_at is None:
                if session.last_motion + self._settings.silence_ticks <= now:
                    self._close(session, "silence")
                else:
                    self._await_silence(session)
        for session in self._news.due(now):
            session.news_awaited = False
            if session.changed and not session.dropped:
                if session.last_event + self._settings.update_ticks <= now:
                    self._tell(session, "updated" if session.closed_at is None else "amended")
                else:
                    self._await_news(session)
        for session in self._ends.due(now):
            ended = session.closed_at
            if ended is not None and ended + self._settings.amend_ticks <= now:
                self._drop(session)
        while self._unmatched and (
            self._unmatched[0].over or self._unmatched[0].since + WAITING_TICKS <= now
        ):
            self._give_up(self._unmatched.popleft())
        return self._told

    def _begin(self, offset: int) -> None:
        self._offset = offset
        self._told = []
        self.counts["records"] += 1

    def _new(self, sensor: Sensor, window: Motion) -> Session:
        session = Session(
            self.counts["sessions_started"],
            window.sensor_id,
            {
                "session_id": f"{window.sensor_id}_{window.start_us}",
                "sensor_id": window.sensor_id,
                "revision": 0,
                "state": "open",
                "start_us": window.start_us,
                "end_us": window.end_us,
                **dict.fromkeys(("windows", "samples", "gaps", "late", "velocity_windows"), 0),
                "acc_mag_max": window.acc_mag_max,
                "gyro_mag_max": window.gyro_mag_max,
                "velocity_max": None,
                "distance_m": None,
                "first_boot": window.boot,
                "last_boot": window.boot,
                "closed_by": None,
            },
        )
        sensor.sessions.append(session)
        return session

    def _sum_up(self, session: Session, window: Motion) -> None:
        fields = session.fields
        fields["windows"] += 1
        for name in ("samples", "gaps", "late"):
            fields[name] += getattr(window, name)
        for name, value in (
            ("end_us", window.end_us),
            ("last_boot", window.boot),
            ("acc_mag_max", window.acc_mag_max),
            ("gyro_mag_max", window.gyro_mag_max),
        ):
            fields[name] = max(fields[name], value)
        for name, value in (("start_us", window.start_us), ("first_boot", window.boot)):
            fields[name] = min(fields[name], value)

    def _travel(self, session: Session, window: Velocity) -> None:
        fields = session.fields
        first = not fields["velocity_windows"]
        fields["velocity_windows"] += 1
        fields["velocity_max"] = (
            window.velocity_max if first else max(fields["velocity_max"], window.velocity_max)
        )
        fields["distance_m"] = window.distance_m + (0.0 if first else fields["distance_m"])

    def _match(self, sensor: Sensor, session: Session) -> None:
        for waiting in list(sensor.unmatched):
            if not waiting.over and session.holds(waiting.window.start_us):
                self._travel(session, waiting.window)
                waiting.over = True
        sensor.unmatched = deque(w for w in sensor.unmatched if not w.over)

    def _give_up(self, waiting: Unmatched) -> None:
        if waiting.over:
            return
        waiting.over = True
        self.counts["velocity_unmatched"] += 1
        sensor = self._sensors[waiting.window.sensor_id]
        sensor.unmatched = deque(w for w in sensor.unmatched if not w.over)
        self._forget_empty(waiting.window.sensor_id)

    def _open(self, sensor: Sensor, session: Session, event: str) -> None:
        session.closed_at = None
        session.fields |= {"state": "open", "closed_by": None}
        self.counts[f"sessions_{event}"] += 1
        self._tell(session, event)
        self._await_silence(session)
        while len(sensor.sessions) > self._settings.kept_sessions:
            closed = [s for s in sensor.sessions if s.closed_at is not None]
            self._drop(min(closed, key=lambda s: (s.closed_at or 0, s.number)))

    def _close(self, session: Session, closed_by: str) -> None:
        session.closed_at = self.ticks
        session.fields |= {"state": "closed", "closed_by": closed_by}
        self.counts["sessions_closed"] += 1
        self._tell(session, "closed")
        self._ends.set(self.ticks + self._settings.amend_ticks, session)

    def _drop(self, session: Session) -> None:
        if session.dropped:
            return
        if session.changed:
            self._tell(session, "amended")
        session.dropped = True
        self._sensors[session.sensor_id].sessions.remove(session)
        self._forget_empty(session.sensor_id)

    def _forget_empty(self, sensor_id: str) -> None:
        sensor = self._sensors[sensor_id]
        if not sensor.sessions and not sensor.unmatched:
            del self._sensors[sensor_id]

    def _change(self, session: Session) -> None:
        session.changed = True
        self._await_news(session)

    def _await_silence(self, session: Session) -> None:
        if not session.silence_awaited:
            session.silence_awaited = True
            self._silences.set(session.last_motion + self._settings.silence_ticks, session)

    def _await_news(self, session: Session) -> None:
        if not session.news_awaited:
            session.news_awaited = True
            tell_at = session.last_event + self._settings.update_ticks
            self._news.set(max(self.ticks + 1, tell_at), session)

    def _tell(self, session: Session, event: str) -> None:
        session.changed = False
        session.last_event = self.ticks
        session.fields["revision"] += 1
        self.counts["events"] += 1
        self._told.append({"event": event, **session.fields, "through_offset": self._offset + 1})
