"""What windows and ticks do to the sessions of a partition."""

from typing import Final, NamedTuple

from pipelines import topics
from pipelines.operators.session_record import Event, session_record
from pipelines.operators.session_state import (
    ClosedBy,
    PartitionSessions,
    SensorSessions,
    Session,
    Waiting,
)
from pipelines.operators.session_windows import MotionWindow, VelocityWindow
from pipelines.records import Headers, Output
from pipelines.settings import SessionSettings

WAITING_TICKS: Final = 60
"""How long a velocity window waits for its motion window: both come of the same samples, of which
the model may be late by a few seconds."""

_JSON: Final[Headers] = [(topics.CONTENT_TYPE, topics.JSON_TYPE.encode())]


class Rules(NamedTuple):
    """The settings in the units that the operator works in."""

    gap_us: int
    silence_ticks: int
    update_ticks: int
    amend_ticks: int
    kept_sessions: int
    waiting_windows: int

    @classmethod
    def of(cls, settings: SessionSettings) -> "Rules":
        """Take them from the settings."""
        return cls(
            gap_us=round(settings.gap_s * 1e6),
            silence_ticks=settings.silence_ticks,
            update_ticks=settings.update_ticks,
            amend_ticks=settings.amend_ticks,
            kept_sessions=settings.kept_sessions,
            waiting_windows=settings.pending_windows,
        )


class SessionStep:
    """Takes records in, one after the other; ``outputs`` are the events that came of them."""

    def __init__(self, rules: Rules, state: PartitionSessions) -> None:
        self._rules = rules
        self._state = state
        self._counts = state.counts
        self._through = 0
        self.outputs: list[Output] = []

    def motion(self, key: bytes, window: MotionWindow, offset: int) -> None:
        """Put a motion window into its session."""
        self._through = offset + 1
        self._counts["motion_windows"] += 1
        self._counts["samples"] += window.samples
        sensor = self._state.sensor(key)
        opened = sensor.open_session()
        session = sensor.nearest(window, self._rules.gap_us)
        if session is not None:
            session.add(window)
        if session is None or session is not opened:
            if opened is not None:
                self._close(key, opened, "gap")
            session = self._open(key, sensor, window, session)
        else:
            self._join_waiting(sensor, session)
            self._untold(key, session)
        session.motion_tick = self._state.tick

    def velocity(self, key: bytes, window: VelocityWindow, offset: int) -> None:
        """Put a velocity window into its session, or let it wait for that."""
        self._through = offset + 1
        self._counts["velocity_windows"] += 1
        sensor = self._state.sensor(key)
        session = sensor.containing(window)
        if session is not None:
            session.add_velocity(window.velocity_max, window.distance_m)
            self._untold(key, session)
            return
        tick = self._state.tick
        waiting = Waiting(window.start_us, window.velocity_max, window.distance_m, tick)
        while len(sensor.waiting) >= self._rules.waiting_windows:
            del sensor.waiting[0]
            self._counts["velocity_unmatched"] += 1
        sensor.waiting.append(waiting)
        self._look_at(key, tick + WAITING_TICKS)

    def tick(self, offset: int) -> None:
        """Let a second pass: tell what has changed, close what is silent, drop what is done."""
        self._through = offset + 1
        self._counts["ticks"] += 1
        for key in self._state.due.take(self._state.tick):
            self._visit(key, self._state.sensors[key])

    def _open(
        self, key: bytes, sensor: SensorSessions, window: MotionWindow, session: Session | None
    ) -> Session:
        if session is None:
            event: Event = "started"
            session = Session.begin(window)
            sensor.sessions.append(session)
            self._counts["sessions_started"] += 1
        else:
            event = "reopened"
            session.closed_by = None
            self._counts["sessions_reopened"] += 1
        self._join_waiting(sensor, session)
        self._tell(key, session, event)
        self._look_at(key, self._state.tick + self._rules.silence_ticks)
        while len(sensor.sessions) > self._rules.kept_sessions:
            closed = [s for s in sensor.sessions if s.closed_by is not None]
            self._drop(key, sensor, min(closed, key=lambda s: s.closed_tick))
        return session

    def _close(self, key: bytes, session: Session, closed_by: ClosedBy) -> None:
        session.closed_by = closed_by
        session.closed_tick = self._state.tick
        self._counts["sessions_closed"] += 1
        self._tell(key, session, "closed")
        self._look_at(key, session.closed_tick + self._rules.amend_ticks)

    def _drop(self, key: bytes, sensor: SensorSessions, session: Session) -> None:
        """Forget a closed session, once all of it is told."""
        if session.untold:
            self._tell(key, session, "amended")
        sensor.sessions = [kept for kept in sensor.sessions if kept is not session]

    def _join_waiting(self, sensor: SensorSessions, session: Session) -> None:
        if not sensor.waiting:
            return
        still = []
        for window in sensor.waiting:
            if session.start_us <= window.start_us < session.end_us:
                session.add_velocity(window.velocity_max, window.distance_m)
            else:
                still.append(window)
        sensor.waiting = still

    def _untold(self, key: bytes, session: Session) -> None:
        session.untold = True
        self._look_at(key, session.told_tick + self._rules.update_ticks)

    def _look_at(self, key: bytes, tick: int) -> None:
        self._state.due.by(key, max(tick, self._state.tick + 1))

    def _tell(self, key: bytes, session: Session, event: Event) -> None:
        session.revision += 1
        session.told_tick = self._state.tick
        session.untold = False
        self._counts["events"] += 1
        value = session_record(event, key, session, self._through)
        self.outputs.append(Output(topics.SESSIONS, key, value, _JSON))

    def _visit(self, key: bytes, sensor: SensorSessions) -> None:
        rules, now = self._rules, self._state.tick
        told = self._counts["events"]
        before = len(sensor.sessions) + len(sensor.waiting)
        for session in list(sensor.sessions):
            if session.closed_by is None and now - session.motion_tick >= rules.silence_ticks:
                self._close(key, session, "silence")
            elif session.untold and now - session.told_tick >= rules.update_ticks:
                self._tell(key, session, "updated" if session.closed_by is None else "amended")
            if session.closed_by is not None and now - session.closed_tick >= rules.amend_ticks:
                self._drop(key, sensor, session)
        waiting = [w for w in sensor.waiting if now - w.tick < WAITING_TICKS]
        self._counts["velocity_unmatched"] += len(sensor.waiting) - len(waiting)
        sensor.waiting = waiting
        after = len(sensor.sessions) + len(sensor.waiting)
        if after != before or self._counts["events"] != told:
            self._state.changed.add(key)
        if after:
            self.schedule(key, sensor)
        else:
            del self._state.sensors[key]

    def schedule(self, key: bytes, sensor: SensorSessions) -> None:
        """Have a sensor come due when the first of its sessions or waiting windows does."""
        for session in sensor.sessions:
            if session.closed_by is None:
                self._look_at(key, session.motion_tick + self._rules.silence_ticks)
            else:
                self._look_at(key, session.closed_tick + self._rules.amend_ticks)
            if session.untold:
                self._look_at(key, session.told_tick + self._rules.update_ticks)
        if sensor.waiting:
            self._look_at(key, sensor.waiting[0].tick + WAITING_TICKS)
