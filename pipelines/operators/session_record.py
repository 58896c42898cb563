"""An event of a session as a record of new-session-topic (schemas/session.schema.json)."""

from typing import Final, Literal

import msgspec

from pipelines.operators.session_state import ClosedBy, Session

Event = Literal["started", "updated", "closed", "reopened", "amended"]


class SessionRecord(msgspec.Struct, frozen=True, gc=False):
    """The record's fields, in its order."""

    event: Event
    session_id: str
    sensor_id: str
    revision: int
    state: Literal["open", "closed"]
    start_us: int
    end_us: int
    windows: int
    samples: int
    gaps: int
    late: int
    acc_mag_max: float
    gyro_mag_max: float
    velocity_windows: int
    velocity_max: float | None
    distance_m: float | None
    first_boot: int
    last_boot: int
    closed_by: ClosedBy | None
    through_offset: int


_ENCODER: Final = msgspec.json.Encoder()


def session_record(event: Event, sensor_id: bytes, session: Session, through_offset: int) -> bytes:
    """Return the JSON of an event, which tells how the session is now."""
    sensor = sensor_id.decode()
    return _ENCODER.encode(
        SessionRecord(
            event=event,
            session_id=f"{sensor}_{session.id_us}",
            sensor_id=sensor,
            revision=session.revision,
            state="open" if session.closed_by is None else "closed",
            start_us=session.start_us,
            end_us=session.end_us,
            windows=session.windows,
            samples=session.samples,
            gaps=session.gaps,
            late=session.late,
            acc_mag_max=session.acc_mag_max,
            gyro_mag_max=session.gyro_mag_max,
            velocity_windows=session.velocity_windows,
            velocity_max=session.velocity_max,
            distance_m=session.distance_m,
            first_boot=session.first_boot,
            last_boot=session.last_boot,
            closed_by=session.closed_by,
            through_offset=through_offset,
        )
    )
