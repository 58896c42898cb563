"""session_aggregation on one partition, fed with windows made by hand or at random."""

import json
from typing import Any

from hypothesis import strategies as st

from pipelines import topics
from pipelines.operators.session_aggregation import SessionAggregation
from pipelines.operators.session_state import PartitionSessions
from pipelines.records import Output
from pipelines.settings import SessionSettings
from tests.unit.frame_building import START_US, Record, batch

S = 1_000_000
WINDOW_S = 2
SENSORS = (b"sensor1", "αισθητήρας".encode())


def tick(number: int = 1) -> Record:
    """A tick."""
    return None, b'{"tick":%d,"published_us":0}' % number, 0


def motion(start_s: int, sensor: bytes = SENSORS[0], **fields: Any) -> Record:
    """A motion window of 2 s, ``start_s`` seconds after `START_US`."""
    start_us = START_US + start_s * S
    statistics = {"min": 0.5, "max": 2.0, "mean": 1.0, "rms": 1.1, "std": 0.1}
    window = {
        "kind": "motion",
        "sensor_id": sensor.decode(),
        "boot": 0,
        "start_us": start_us,
        "end_us": start_us + WINDOW_S * S,
        "samples": 400,
        "first_sample": 0,
        "last_sample": 399,
        "gaps": 0,
        "late": 0,
        "acc_mag": statistics,
        "gyro_mag": statistics,
        "closed_by": "watermark",
        "through_offset": 12,
    }
    return sensor, json.dumps(window | fields).encode(), START_US


def velocity(start_s: int, sensor: bytes = SENSORS[0], **fields: Any) -> Record:
    """A velocity window of 2 s."""
    start_us = START_US + start_s * S
    window = {
        "kind": "velocity",
        "sensor_id": sensor.decode(),
        "boot": 0,
        "start_us": start_us,
        "end_us": start_us + WINDOW_S * S,
        "samples": 400,
        "first_sample": 0,
        "last_sample": 399,
        "velocity_max": 1.5,
        "distance_m": 0.1,
        "moving_share": 0.5,
        "resets": 0,
        "skipped": 0,
        "model": {"name": "velocity", "version": "1", "sha256": "ab"},
        "closed_by": "time",
        "through_offset": 12,
    }
    return sensor, json.dumps(window | fields).encode(), START_US


class SessionRun:
    """An operator on one partition, and what it has put out so far."""

    def __init__(self, **rules: Any) -> None:
        self.operator = SessionAggregation(SessionSettings(**rules), "test")
        self.state: PartitionSessions = self.operator.new_state(3)
        self.outputs: list[Output] = []
        self.next_offset = 0
        self.saved: dict[bytes, bytes] = {}

    def feed(self, *records: Record) -> "SessionRun":
        self.outputs += self.operator.step(self.state, batch(records, self.next_offset))
        self.next_offset += len(records)
        return self

    def ticks(self, count: int) -> "SessionRun":
        return self.feed(*[tick()] * count)

    def save(self) -> "SessionRun":
        """Keep what a snapshot writes."""
        for key, value in self.operator.changes(self.state):
            if value is None:
                self.saved.pop(key, None)
            else:
                self.saved[key] = value
        return self

    def restart(self) -> "SessionRun":
        """Go on from nothing but what was saved, as a new process does."""
        self.save()
        counts = self.operator.counts(self.state)
        self.state = self.operator.restore(3, reversed(self.saved.items()), counts)
        return self

    @property
    def counts(self) -> dict[str, int]:
        return self.operator.counts(self.state)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(o.value) for o in self.outputs if o.topic == topics.SESSIONS and o.key]

    @property
    def story(self) -> list[str]:
        """Each event, the session by its start in seconds after `START_US`."""
        return [
            f"{event['event']} {(int(event['session_id'].split('_')[-1]) - START_US) // S}"
            for event in self.events
        ]


Move = tuple[str, int, int]

moves: st.SearchStrategy[list[Move]] = st.lists(
    st.tuples(
        st.sampled_from(
            ["window"] * 6
            + ["tick"] * 4
            + ["velocity"] * 3
            + ["ahead", "jump", "back", "past", "silence", "broken", "velocity of old"]
        ),
        st.integers(0, len(SENSORS) - 1),
        st.integers(0, 12),
    ),
    min_size=1,
    max_size=80,
)
RULES = {
    "gap_s": 10.0,
    "silence_ticks": 6,
    "update_ticks": 3,
    "amend_ticks": 70,
    "kept_sessions": 3,
    "pending_windows": 2,
}
"""Rules so tight that a short stream meets all of them."""


def records_of(stream: list[Move]) -> list[Record]:
    """Return the windows and ticks that the moves make, in order."""
    clock_s = [0] * len(SENSORS)
    records: list[Record] = []
    number = 0
    for move, which, size in stream:
        sensor, now_s = SENSORS[which], clock_s[which]
        match move:
            case "tick" | "silence":
                count = 1 if move == "tick" else 8 * size
                records += [tick(number + i) for i in range(count)]
                number += count
            case "window":
                fields = {"boot": size // 4, "gaps": size, "samples": 1 + size, "late": size % 2}
                magnitude = {"min": 0.0, "max": size / 7, "mean": 0.0, "rms": 0.0, "std": 0.0}
                records.append(motion(now_s, sensor, **fields, acc_mag=magnitude))
                clock_s[which] += WINDOW_S
            case "ahead":
                records.append(motion(now_s + WINDOW_S * size, sensor))
            case "jump":
                clock_s[which] += 5 * size
            case "back":
                clock_s[which] -= 5 * size
            case "past":
                clock_s[which] = -START_US // S if size else 0
            case "velocity":
                found = {"distance_m": size / 7, "velocity_max": size / 3}
                records.append(velocity(now_s - WINDOW_S * (size % 3), sensor, **found))
            case "velocity of old":
                records.append(velocity(now_s - 3 * size, sensor, distance_m=0.3 * size))
            case "broken":
                key = None if size == 7 else sensor
                records.append((key, motion(now_s, sensor)[1][: -size - 1], 0))
    return records
