"""Follow a sensor's next frame: what each record and message that comes says of it. Pure.

The frame's id is ``topic/partition/offset`` of its raw record, which rows of transformed samples
carry as ``raw_offset``, and so do the messages that WebSocket clients are sent.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from cluster.trace.absence import letter_stage
from cluster.trace.arrival import raw_stage, reception_us
from cluster.trace.frame_search import RawFrame
from cluster.trace.moment import clock
from cluster.trace.stage import Stage, State, Trace
from pipelines import topics
from pipelines.archive.record import Record
from pipelines.archive.rows import has_rows, rows_of
from pipelines.payload_scanner import scan_any
from pipelines.redrive.letter import is_letter, letter_of

KEPT: Final = 512
"""Records kept that came before the frame's own: partitions are read in any order."""

NAMES: Final = ("mqtt", "transformed", "websocket", "prediction", "motion_window", "session")
"""What a frame is expected at, in the order of the data."""

_NO_WINDOW: Final = ("motion_window", "session")
"""What late samples do not come to."""

WEBSOCKET: Final = "websocket"
"""The source that stands for messages of a WebSocket, among topics."""


Arrival = tuple[str, Record | Mapping[str, Any], int]
"""A topic with a record, or :data:`WEBSOCKET` with a message, and when it came, microseconds."""


class FollowedFrame:
    """Takes in what comes, in any order, and gives the stages that the frame has reached."""

    def __init__(self, sensor_id: str, partition: int, rate_hz: float) -> None:
        self._sensor_id = sensor_id
        self._partition = partition
        self._rate_hz = rate_hz
        self._before: deque[Arrival] = deque(maxlen=KEPT)
        self._frame: RawFrame | None = None
        self.stages: dict[str, Stage] = {}

    @property
    def received_us(self) -> int | None:
        """When the bridge received the frame; None until it comes."""
        return None if self._frame is None else reception_us(self._frame.record)

    @property
    def refused(self) -> bool:
        """Whether the frame is in the dead letters."""
        return "dead_letter" in self.stages

    def missing(self, expected: tuple[str, ...]) -> list[str]:
        """Return what is expected and has not come; nothing more of a frame that was refused."""
        known = self.stages.get("transformed")
        late = known is not None and known.facts["late"]
        never = _NO_WINDOW if late else ()
        return [
            name for name in expected if not (self.refused or name in self.stages or name in never)
        ]

    def take(self, source: str, what: Record | Mapping[str, Any], seen_us: int) -> Iterator[Stage]:
        """Take a record of a topic, or a message of a WebSocket, and yield what is new by it."""
        if self._frame is None:
            frame = self._next_frame(source, what)
            if frame is None:
                self._before.append((source, what, seen_us))
                return
            self._frame = frame
            yield self._note(raw_stage(frame, self._partition, []), seen_us)
            for earlier in self._before:
                yield from self._take(frame, *earlier)
            self._before.clear()
        else:
            yield from self._take(self._frame, source, what, seen_us)

    def trace(self, expected: tuple[str, ...], complete: bool) -> Trace:
        """Return all that was seen, and as waiting what was expected and did not come."""
        stages = list(self.stages.values())
        for name in self.missing(expected):
            words = "it did not come while it was followed; `imustream trace` tells more"
            stages.append(Stage(name, State.WAITING, words))
        frame = self._frame
        return Trace(
            self._sensor_id,
            -1 if frame is None else frame.frame.base_sample_number,
            None,
            None if frame is None else self._place(topics.RAW, frame.record.offset),
            self.received_us,
            tuple(stages),
            complete,
        )

    def _next_frame(self, source: str, what: Record | Mapping[str, Any]) -> RawFrame | None:
        if source != topics.RAW or not isinstance(what, Record):
            return None
        if what.key != self._sensor_id.encode():
            return None
        frames, _ = scan_any(what.value, self._rate_hz)
        return next((RawFrame(what, frame) for frame in frames if frame.num_samples), None)

    def _take(
        self, frame: RawFrame, source: str, what: Record | Mapping[str, Any], seen_us: int
    ) -> Iterator[Stage]:
        if not isinstance(what, Record):
            stage = self._of_message(frame, what)
        elif source == topics.DEAD_LETTERS:
            stage = self._of_letter(frame, what)
        elif source == topics.RAW or not has_rows(source, what):
            stage = None
        else:
            stage = self._of_rows(frame, source, what)
        if stage is not None and stage.name not in self.stages:
            yield self._note(stage, seen_us)

    def _note(self, stage: Stage, seen_us: int) -> Stage:
        noted = Stage(stage.name, stage.state, stage.words, stage.place, seen_us, stage.facts)
        if stage.name == "mqtt":
            # When the bridge had it is known; when its record could be read is a fact besides.
            facts = {**stage.facts, "read_us": seen_us}
            noted = Stage(stage.name, stage.state, stage.words, stage.place, stage.at_us, facts)
        self.stages[stage.name] = noted
        return noted

    def _of_message(self, frame: RawFrame, message: Mapping[str, Any]) -> Stage | None:
        offsets = message.get("columns", {}).get("raw_offset", ())
        if frame.record.offset not in offsets:
            return None
        words = (
            f"a client of /ws/transformed has it: {offsets.count(frame.record.offset)} samples in "
            f"message {message['seq']}, {message['dropped']} dropped"
        )
        place = self._place(topics.TRANSFORMED, message["offset"])
        return Stage("websocket", State.HERE, words, place)

    def _of_letter(self, frame: RawFrame, record: Record) -> Stage | None:
        if not is_letter(record.headers):
            return None
        letter = letter_of(
            self._partition,
            record.offset,
            record.key,
            record.value,
            record.headers,
            record.timestamp_us,
        )
        if str(letter.source) != self._place(topics.RAW, frame.record.offset):
            return None
        return letter_stage(letter)

    def _of_rows(self, frame: RawFrame, topic: str, record: Record) -> Stage | None:
        rows = rows_of(topic, [record])
        mine = rows.filter(pc.field("sensor_id") == self._sensor_id)
        place = self._place(topic, record.offset)
        if topic == topics.TRANSFORMED:
            return _transformed(mine.filter(pc.field("raw_offset") == frame.record.offset), place)
        transformed = self.stages.get("transformed")
        if transformed is None:
            return None
        facts = transformed.facts
        if topic == topics.PREDICTIONS:
            first, last = facts["first_sample"], facts["last_sample"]
            number = pc.field("sample_index")
            of_frame = (pc.field("boot") == facts["boot"]) & (number >= first) & (number <= last)
            return _predicted(mine.filter(of_frame), place)
        held = (pc.field("start_us") <= facts["first_us"]) & (
            pc.field("end_us") > facts["first_us"]
        )
        return _held(topic, mine.filter(held), place)

    def _place(self, topic: str, offset: int) -> str:
        return f"{topic}/{self._partition}/{offset}"


def _transformed(rows: pa.Table, place: str) -> Stage | None:
    if not len(rows):
        return None
    numbers, times = rows["sample_index"].to_pylist(), rows["timestamp_us"].to_pylist()
    facts = {
        "boot": rows["boot"][0].as_py(),
        "first_sample": numbers[0],
        "last_sample": numbers[-1],
        "first_us": times[0],
        "late": rows["late"][0].as_py(),
    }
    words = f"boot {facts['boot']}, {len(rows)} samples, committed"
    if facts["late"]:
        words += "; late: its window was closed already"
    return Stage("transformed", State.HERE, words, place, facts=facts)


def _predicted(rows: pa.Table, place: str) -> Stage | None:
    if not len(rows):
        return None
    first = rows.slice(0, 1).to_pylist()[0]
    words = (
        f"{len(rows)} samples, at first {first['velocity']:.3f} m/s, by model "
        f"{first['model_name']} {first['model_version']} ({first['model_sha256'][:12]})"
    )
    facts = {name: first[name] for name in ("model_name", "model_version", "model_sha256")}
    return Stage("prediction", State.HERE, words, place, facts=facts)


def _held(topic: str, rows: pa.Table, place: str) -> Stage | None:
    """Return the window, or the session's event, that holds the frame's first sample."""
    found = rows.slice(0, 1).to_pylist()
    if not found:
        return None
    row = found[0]
    if topic == topics.SESSIONS:
        words = f"{row['session_id']}: {row['event']}, revision {row['revision']}"
        return Stage("session", State.HERE, words, place, facts={"session_id": row["session_id"]})
    words = f"{clock(row['start_us'])[:-7]}, {row['samples']} samples, closed by {row['closed_by']}"
    return Stage(f"{row['kind']}_window", State.HERE, words, place, facts={"kind": row["kind"]})
