"""One run of a slot of session_writer: new-session-topic to MongoDB.

Each turn writes what came to MongoDB first and then commits how far it is, with the dead letters,
in one transaction. Killed between the two, the next run writes the same again, which changes
nothing: a document only ever goes to a higher revision.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from confluent_kafka import KafkaException, Message, TopicPartition

from pipelines import metrics
from pipelines.control import ControlState
from pipelines.dead_letters import dead_letter
from pipelines.errors import DataError
from pipelines.frame_scanner import DeadSpan
from pipelines.kafka_clients import transient, unavailable
from pipelines.owned_partition import SlotIdentity
from pipelines.records import Output
from pipelines.settings import Settings
from pipelines.sinks import session_documents as documents
from pipelines.sinks import sink_offsets
from pipelines.sinks.resumption import first_offset
from pipelines.sinks.session_store import SessionStore
from pipelines.sinks.sink_offsets import Mark, SinkOffsets
from pipelines.slot import partitions_of
from pipelines.topics import CONTENT_TYPE, SESSION_WRITER, SINKS, TICK_TYPE

TURN_S: Final = 0.25
"""Nobody waits for a document within milliseconds, and a commit costs the broker."""
MOST_RECORDS: Final = 1_000
"""Records of one turn: about a second of writing, after which it can be stopped."""

_TICK_HEADER: Final = (CONTENT_TYPE, TICK_TYPE.encode())
_COUNTS: Final = ("records", "ticks", "events", "documents", "dead_letters")


class Intake(NamedTuple):
    """The records of one turn: their events, and why the others are none (ticks left out)."""

    messages: list[Message]
    events: list[documents.Place]
    no_events: dict[int, str]


class SessionWriter:
    """The clients of one run; not for use by several threads."""

    def __init__(self, settings: Settings, identity: SlotIdentity) -> None:
        """Make the clients; nothing is fenced or written before :meth:`open`."""
        self._settings = settings
        self._identity = identity
        self._offsets = SinkOffsets(settings, identity)
        self._store = SessionStore(settings)
        self._marks: dict[sink_offsets.Place, Mark] = {}
        self.turn_s = TURN_S
        self.commits = 0
        self.last_commit_us = 0

    def open(self) -> ControlState:
        """Fence the predecessor, take over its marks, make the indexes, begin to read.

        Raises:
            FencedError: a newer instance or generation runs.
            PipelineStoppedError: records that are needed are gone.
            StoreAwayError: MongoDB does not answer.
            UnavailableError: the brokers did not answer.
        """
        identity = self._identity
        places = [
            sink_offsets.Place(topic, partition)
            for topic in SINKS[SESSION_WRITER]
            for partition in partitions_of(identity.slot, identity.slots)
        ]
        control, known = self._offsets.open(places)
        try:
            begins = {
                place: first_offset(
                    self._offsets.consumer, identity.pipeline, place, known.get(place)
                )
                for place in places
            }
        except KafkaException as error:
            raise self._unavailable(error) from None
        for place, offset in begins.items():
            mark = known.get(place)
            self._marks[place] = self._mark(offset, mark.counts if mark else {})
        self._offsets.commit(self._marks)
        self._store.prepare()
        self._offsets.consumer.assign(
            [TopicPartition(*place, offset) for place, offset in begins.items()]
        )
        return control

    def turn(self, wait_s: float) -> int:
        """Write what comes within ``wait_s``, then commit that it is written.

        Raises:
            StoreAwayError: MongoDB is away; what was not written is read again.
            FencedError, TransactionAbortedError, UnavailableError: the run is over.
        """
        most = min(MOST_RECORDS, self._settings.slot.max_records)
        try:
            polled = self._offsets.consumer.consume(most, wait_s)
            messages = _records(polled)
        except KafkaException as error:
            raise self._unavailable(error) from None
        if not messages:
            return len(polled)
        intake = _take_in(messages)
        began_s = time.monotonic()
        refused, written = self._write(intake.events)
        metrics.SESSION_WRITE_SECONDS.observe(time.monotonic() - began_s)
        letters = {
            **{row: (documents.NOT_A_SESSION, why) for row, why in intake.no_events.items()},
            **{row: (documents.REFUSED, why) for row, why in refused.items()},
        }
        self._commit(intake, written, letters)
        return len(polled)

    def finish(self) -> None:
        """Do nothing: a turn leaves nothing under way."""

    def close(self) -> None:
        """Drop the clients; the next run goes on from the marks."""
        self._store.close()
        self._offsets.close()

    def _write(self, events: Sequence[documents.Place]) -> tuple[dict[int, str], list[int]]:
        """Bring MongoDB to the newest events; return why rows were refused, and those written.

        Where the newest event of a session is refused, the one before it counts.
        """
        sessions = documents.newest_last(events)
        refused: dict[int, str] = {}
        written: list[documents.Place] = []
        while sessions:
            newest = [of_session.pop() for of_session in sessions.values()]
            updates = [documents.session_update(place.event) for place in newest]
            answers = self._store.write(documents.SESSIONS, updates)
            refused |= {newest[position].row: why for position, why in answers.items()}
            written += [each for at, each in enumerate(newest) if at not in answers]
            sessions = {
                newest[position].event.session_id: left
                for position in answers
                if (left := sessions[newest[position].event.session_id])
            }
        self._write_sensors(written, refused)
        return refused, [place.row for place in written]

    def _write_sensors(self, written: Sequence[documents.Place], refused: dict[int, str]) -> None:
        updates = documents.sensor_updates(place.event for place in written)
        for position, why in self._store.write(documents.SENSORS, updates).items():
            sensor_id = updates[position].document_id
            last = max(place.row for place in written if place.event.sensor_id == sensor_id)
            refused[last] = f"of its sensor: {why}"

    def _commit(
        self, intake: Intake, written: Sequence[int], letters: Mapping[int, tuple[str, str]]
    ) -> None:
        counts = self._counts(intake, written, letters)
        marks = {
            place: self._mark(next_offset, counts[place])
            for place, next_offset in _next_offsets(intake.messages).items()
        }
        records = [(intake.messages[row], *letters[row]) for row in sorted(letters)]
        self._offsets.commit(
            marks,
            [
                (message.partition() or 0, self._letter(message, reason, detail))
                for message, reason, detail in records
            ],
        )
        self._marks |= marks
        self.commits += 1
        self.last_commit_us = time.time_ns() // 1000

    def _counts(
        self, intake: Intake, written: Sequence[int], letters: Mapping[int, tuple[str, str]]
    ) -> dict[sink_offsets.Place, dict[str, int]]:
        """Return each partition's cumulative counts after this turn."""
        places = [_place(message) for message in intake.messages]
        events = {event.row for event in intake.events}
        added = {place: Counter(self._marks[place].counts) for place in set(places)}
        for row, place in enumerate(places):
            added[place]["records"] += 1
            if row in events:
                added[place]["events"] += 1
            elif row not in intake.no_events:
                added[place]["ticks"] += 1
        for row in written:
            added[places[row]]["documents"] += 1
        for row in letters:
            added[places[row]]["dead_letters"] += 1
        return {
            place: {name: counter[name] for name in _COUNTS} for place, counter in added.items()
        }

    def _letter(self, message: Message, reason: str, detail: str) -> Output:
        value = message.value() or b""
        place = _place(message)
        return dead_letter(
            DeadSpan(0, len(value), reason, detail),
            pipeline=self._identity.pipeline,
            code_version=self._identity.code_version.encode(),
            key=message.key(),
            payload=value,
            source=f"{place.topic}/{place.partition}/{message.offset()}",
            failed_us=message.timestamp()[1] * 1000,
        )

    def _mark(self, next_offset: int, counts: dict[str, int]) -> Mark:
        return Mark(
            next_offset,
            self._identity.generation,
            self._identity.slot,
            self._identity.code_version,
            committed_us=time.time_ns() // 1000,
            counts=counts,
        )

    def _unavailable(self, error: KafkaException) -> Exception:
        where = self._settings.kafka.bootstrap_servers
        return unavailable(error, f"reading {', '.join(SINKS[SESSION_WRITER])}", where)


def _records(polled: Sequence[Message]) -> list[Message]:
    """Leave out errors that the consumer mends by itself; raises KafkaException for the others."""
    for message in polled:
        error = message.error()
        if error is not None and not transient(error):
            raise KafkaException(error)
    return [message for message in polled if message.error() is None]


def _take_in(messages: list[Message]) -> Intake:
    events: list[documents.Place] = []
    no_events: dict[int, str] = {}
    for row, message in enumerate(messages):
        key = message.key()
        if key is None and _TICK_HEADER in (message.headers() or ()):
            continue
        try:
            event = documents.read_event(key, message.value() or b"")
        except DataError as error:
            no_events[row] = str(error)
        else:
            events.append(documents.Place(row, event))
    return Intake(messages, events, no_events)


def _next_offsets(messages: Sequence[Message]) -> dict[sink_offsets.Place, int]:
    return {_place(message): (message.offset() or 0) + 1 for message in messages}


def _place(message: Message) -> sink_offsets.Place:
    return sink_offsets.Place(message.topic() or "", message.partition() or 0)
