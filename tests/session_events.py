"""Events of sessions, as session_aggregation writes them."""

from typing import Any

START_US = 1_760_000_000_000_000
WINDOW_US = 2_000_000


def session_event(
    sensor_id: str, revision: int, number: int = 0, state: str = "open", **changes: Any
) -> dict[str, Any]:
    """Return one event of a sensor's session ``number``; it grows by a window each revision."""
    start_us = START_US + number * 3_600_000_000
    closed = state == "closed"
    fields: dict[str, Any] = {
        "event": "started" if revision == 1 else "closed" if closed else "updated",
        "session_id": f"{sensor_id}_{start_us}",
        "sensor_id": sensor_id,
        "revision": revision,
        "state": state,
        "start_us": start_us,
        "end_us": start_us + revision * WINDOW_US,
        "windows": revision,
        "samples": revision * 400,
        "gaps": revision // 3,
        "late": 0,
        "acc_mag_max": 1.0 + revision / 8,
        "gyro_mag_max": 0.5 + revision / 16,
        "velocity_windows": revision - 1,
        "velocity_max": 0.25 * revision if revision > 1 else None,
        "distance_m": 1.5 * revision if revision > 1 else None,
        "first_boot": 0,
        "last_boot": revision // 4,
        "closed_by": "silence" if closed else None,
        "through_offset": revision,
    }
    return fields | changes
