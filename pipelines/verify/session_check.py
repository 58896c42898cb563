"""Compare the published sessions of one partition with those computed again."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from confluent_kafka import Message

from pipelines.ledger import Ledger
from pipelines.settings import SessionSettings
from pipelines.verify.aggregated_records import Broken, Motion, Tick, read_aggregated
from pipelines.verify.letters import Letter, LetterStream
from pipelines.verify.result import Difference, Kind
from pipelines.verify.session_events import EventStream, Published
from pipelines.verify.session_model import Event, SessionModel
from pipelines.verify.stage_result import StageRow
from pipelines.verify.streams import Read

NOT_A_WINDOW = "not_a_window"
_TOLERANCE = 1e-9


class SessionCheck:
    """Reads both topics side by side, in the order of sensor-data-aggregated.

    ``first_offset`` is where its records begin: above 0 when retention has deleted older ones.
    Then a sensor is checked only once it was quiet for so long that nothing of it was kept.
    """

    def __init__(
        self, row: StageRow, settings: SessionSettings, first_offset: int, events_from: int
    ) -> None:
        """Begin; events through offsets up to ``events_from`` may be deleted by retention."""
        self._row = row
        self._settings = settings
        self._first_offset = first_offset
        self._events_from = events_from
        self._model = SessionModel(settings)
        self._motion_tick: dict[str, int] = {}
        self._known: set[str] = set()
        self.unknown: set[str] = set()

    def run(
        self,
        aggregated: Iterator[list[Message]],
        events: EventStream,
        letters: LetterStream,
        next_offset: int,
        read: Read,
    ) -> None:
        """Compare everything that came of the input below ``next_offset``."""
        events.through(self._first_offset)
        for batch in aggregated:
            inside = [m for m in batch if (m.offset() or 0) < next_offset]
            if not inside:
                break
            through = (inside[-1].offset() or 0) + 1
            found: dict[int, list[Letter]] = {}
            for letter in letters.until(through):
                found.setdefault(letter.offset, []).append(letter)
            for message in inside:
                self._record(message, events, found.pop(message.offset() or 0, []))
            for offset, strays in found.items():
                if offset >= self._first_offset:
                    self._add("wrong", f"{len(strays)} dead letters of no record", offset)
            read(len(inside))
        self._finish(events, letters, next_offset)

    def compare_ledger(self, ledger: Ledger, input_end: int) -> None:
        """Report where the ledger's counts are not those of the data."""
        counts = ledger.counts
        parts = sum(counts.get(name, 0) for name in ("ticks", "windows", "dead_letters"))
        if counts.get("records", 0) != parts:
            self._add("wrong", "the ledger's records are not ticks + windows + dead letters")
        if ledger.partition != self._row.partition:
            self._add("wrong", f"the ledger says partition {ledger.partition}")
        if ledger.next_offset > input_end:
            what = f"the ledger says next_offset {ledger.next_offset}, the input ends at"
            self._add("wrong", f"{what} {input_end}")
        if self._first_offset:
            return  # It counts from the beginning, of which a part is deleted.
        for name, said in counts.items():
            found = self._model.counts[name]
            if said != found:
                self._add("wrong", f"the ledger says {said} {name}, the data {found}")

    def checked(self) -> dict[str, int]:
        """Return what was compared."""
        names = ("records", "windows", "sessions_started", "events", "ticks", "dead_letters")
        return {name.removesuffix("_started"): self._model.counts[name] for name in names}

    def _record(self, message: Message, events: EventStream, letters: list[Letter]) -> None:
        offset, value = message.offset() or 0, message.value() or b""
        record = read_aggregated(message.key(), value)
        if isinstance(record, Broken):
            self._model.broken()
            self._claim(message, letters)
            return
        if letters:
            self._add("wrong", "a dead letter of a record that is a window or tick", offset)
        if isinstance(record, Tick):
            self._match(self._model.tick(offset), offset, events)
            for kind in events.tick(record.number):
                what = "forwarded more than once" if kind == "doubled" else "not forwarded"
                self._add(kind, f"the tick {record.number} or the one before it is {what}", offset)
        elif isinstance(record, Motion):
            self._note(record.sensor_id)
            self._match(self._model.motion(offset, record), offset, events)
        else:
            self._match(self._model.velocity(offset, record), offset, events)

    def _note(self, sensor_id: str) -> None:
        """See whether nothing from before the check can be kept of a sensor."""
        if not self._first_offset or sensor_id in self._known:
            return
        quiet = self._model.ticks - self._motion_tick.get(sensor_id, 0)
        if quiet >= self._settings.silence_ticks + self._settings.amend_ticks:
            self._known.add(sensor_id)
            self.unknown.discard(sensor_id)
        else:
            self.unknown.add(sensor_id)
        self._motion_tick[sensor_id] = self._model.ticks

    def _is_checked(self, event: Mapping[str, Any]) -> bool:
        return not self._first_offset or event["sensor_id"] in self._known

    def _match(self, demanded: list[Event], offset: int, events: EventStream) -> None:
        wanted = {
            (event["session_id"], event["revision"]): event
            for event in demanded
            if self._is_checked(event)
        }
        for found in events.through(offset + 1):
            if not self._is_checked(found.event):
                continue
            expected = wanted.pop(found.key, None)
            if expected is None:
                self._unexpected(found)
            else:
                self._compare(found, expected)
        for event in wanted.values():
            if event["through_offset"] > self._events_from:
                what = f"{event['event']} of {event['session_id']}, revision {event['revision']}"
                self._add("lost", f"{what}, is missing", offset, event["sensor_id"])

    def _unexpected(self, found: Published) -> None:
        session_id, revision = found.key
        kept = self._model.known_revision(found.event["sensor_id"], session_id)
        what = f"{found.event.get('event')} of {session_id}, revision {revision},"
        if revision <= kept:
            self._add_published("doubled", f"{what} comes once more", found)
        else:
            self._add_published("wrong", f"{what} follows from no window or tick", found)

    def _compare(self, found: Published, expected: Event) -> None:
        event = found.event
        wrong = [name for name in expected if not _same(event.get(name), expected[name])]
        wrong += [name for name in event if name not in expected]
        if wrong:
            what = f"{expected['event']} of {expected['session_id']}, revision "
            what += f"{expected['revision']}, differs in {', '.join(wrong)}"
            self._add_published("wrong", what, found)

    def _claim(self, message: Message, letters: list[Letter]) -> None:
        """See that a record that is no window has one dead letter."""
        offset, value = message.offset() or 0, message.value() or b""
        if not letters:
            self._add("lost", "no dead letter of a record that is no window", offset)
            return
        if letters[1:]:
            self._add(
                "doubled", "more than one dead letter of a record", offset, count=len(letters) - 1
            )
        letter = letters[0]
        if (letter.key, letter.value, letter.reason) != (message.key(), value, NOT_A_WINDOW) or (
            letter.start,
            letter.end,
        ) != (0, len(value)):
            self._add(
                "wrong", "the dead letter of a record does not hold it, or its reason", offset
            )

    def _finish(self, events: EventStream, letters: LetterStream, next_offset: int) -> None:
        for found in events.through(next_offset):
            if self._is_checked(found.event):
                self._unexpected(found)
        letters.drain()
        for letter in letters.strays:
            if letter.offset >= self._first_offset:
                self._add("doubled", "one more dead letter of a record", letter.offset)
        for offset in events.malformed:
            self._add("wrong", f"new-session-topic/{self._row.partition}/{offset} is no event")
        for offset in letters.malformed:
            self._add("wrong", f"dead-letters/{self._row.partition}/{offset} cannot be read")

    def _add_published(self, kind: Kind, what: str, found: Published) -> None:
        where = f"new-session-topic/{self._row.partition}/{found.offset}"
        self._add(kind, f"{what} ({where})", found.through_offset - 1, found.event["sensor_id"])

    def _add(
        self,
        kind: Kind,
        what: str,
        offset: int | None = None,
        sensor_id: str | None = None,
        count: int = 1,
    ) -> None:
        self._row.add(Difference(kind, what, self._row.partition, offset, sensor_id), count)


def _same(found: Any, expected: Any) -> bool:
    if isinstance(expected, float) and type(found) in (int, float):
        return math.isclose(found, expected, rel_tol=_TOLERANCE)
    return type(found) is type(expected) and bool(found == expected)
