"""Prove that MongoDB holds the last event of each session, as far as the writer says it came."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from confluent_kafka import Message
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from pipelines import topics
from pipelines.errors import UnavailableError
from pipelines.partitioner import partition_of
from pipelines.settings import Settings
from pipelines.sinks.sink_offsets import Mark, Place, read_group_marks
from pipelines.verify.document_events import (
    KnownSession,
    Version,
    document_fields,
    part_of,
    read_event,
    version_of,
)
from pipelines.verify.progress import Progress
from pipelines.verify.result import Difference
from pipelines.verify.stage_result import StageRow
from pipelines.verify.streams import PartitionReader, record_headers

EVENTS_HELD = 200_000
"""Events whose sessions are held at once: some 100 MB. More are compared part by part."""
UNEXPLAINED_HELD = 100_000
"""Documents newer than the events read that are looked up among those that came since."""

_SELECT_MS = 3_000
_ANSWER_MS = 60_000
_DOCUMENTS_A_READ = 1_000

Unexplained = dict[str, tuple[str, Version]]
"""Documents that no event read so far explains: sensor and version by session."""


def verify_documents(
    settings: Settings, progress: Progress, pipeline: str = topics.SESSION_WRITER
) -> list[StageRow]:
    """Compare the sessions in MongoDB with new-session-topic, below the writer's marks.

    A document may be ahead of the marks, if an event past them explains it. Returns a row for each
    partition of new-session-topic.

    Raises:
        UnavailableError: Kafka or MongoDB does not answer.
        DataError: an offset of the writer's group is not a mark.
    """
    return _Check(settings, progress, pipeline).run()


class _Check:
    """One verification; it holds the sessions of one part at a time."""

    def __init__(self, settings: Settings, progress: Progress, pipeline: str) -> None:
        self._settings = settings
        self._progress = progress
        self._pipeline = pipeline
        self._rows = [StageRow(pipeline, p) for p in range(topics.PARTITIONS)]
        self._begins: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        self._letters: dict[int, Counter[int]] = {}

    def run(self) -> list[StageRow]:
        # The marks first: what was committed before them is there when the rest is read.
        places = [Place(topics.SESSIONS, p) for p in range(topics.PARTITIONS)]
        marks = read_group_marks(self._settings.kafka, self._pipeline, places)
        parts = self._look(marks)
        for part in range(parts):
            known = self._read_topic(marks, part, parts)
            unexplained = self._compare(known, part, parts)
            self._explain(unexplained)
        for row in self._rows:
            if self._begins[row.partition]:
                row.notes.append(
                    f"events below offset {self._begins[row.partition]} are deleted by retention: "
                    f"{row.checked.pop('unknown', 0)} documents without an event are older"
                )
        return self._rows

    def _look(self, marks: dict[Place, Mark]) -> int:
        """Find where the partitions begin and end, and the letters; return how many parts."""
        events = 0
        for row in self._rows:
            reader = PartitionReader(self._settings.kafka, topics.SESSIONS, row.partition)
            reader.close()
            self._begins[row.partition], self._ends[row.partition] = reader.begin, reader.end
            mark = marks.get(Place(topics.SESSIONS, row.partition))
            row.lag = max(0, reader.end - (mark.next_offset if mark else reader.begin))
            events += reader.end - reader.begin
            self._letters[row.partition] = self._read_letters(row.partition)
        return events // EVENTS_HELD + 1

    def _read_letters(self, partition: int) -> Counter[int]:
        """Return how many dead letters the writer made of each record of the partition."""
        found: Counter[int] = Counter()
        for message in self._messages(topics.DEAD_LETTERS, partition):
            headers = record_headers(message)
            if headers.get("pipeline") != self._pipeline.encode():
                continue
            topic, _, offset = headers.get("source", b"").decode().rpartition("/")
            if topic == f"{topics.SESSIONS}/{partition}" and offset.isdecimal():
                found[int(offset)] += 1
        return found

    def _read_topic(
        self, marks: dict[Place, Mark], part: int, parts: int
    ) -> dict[str, KnownSession]:
        known: dict[str, KnownSession] = {}
        for row in self._rows:
            mark = marks.get(Place(topics.SESSIONS, row.partition))
            next_offset = mark.next_offset if mark else 0
            begin, end = self._begins[row.partition], self._ends[row.partition]
            for message in self._messages(topics.SESSIONS, row.partition, end=end):
                offset = message.offset() or 0
                if offset % 1_000 == 0:
                    self._progress(row.partition, offset - begin, end - begin)
                self._take(message, known, row, (part, parts), written=offset < next_offset)
        return known

    def _take(
        self,
        message: Message,
        known: dict[str, KnownSession],
        row: StageRow,
        part: tuple[int, int],
        *,
        written: bool,
    ) -> None:
        if message.key() is None and _is_tick(message):
            return
        offset = message.offset() or 0
        letters = self._letters[row.partition][offset]
        if part[0] == 0 and written:
            _count(row, "dead_letters", letters)
            if letters > 1:
                what = f"{letters} dead letters of one record"
                row.add(Difference("doubled", what, row.partition, offset), letters - 1)
        fields = read_event(message.value() or b"")
        if fields is None:
            if part[0] == 0 and written and not letters:
                what = "a record that is no session is not in dead-letters"
                row.add(Difference("lost", what, row.partition, offset))
            return
        session_id = fields["session_id"]
        if part_of(session_id, part[1]) != part[0]:
            return
        if written:
            _count(row, "events")
        session = known.setdefault(session_id, KnownSession(row.partition, offset))
        session.takes(version_of(fields), must=written and not letters, offset=offset)

    def _compare(self, known: dict[str, KnownSession], part: int, parts: int) -> Unexplained:
        """Hold MongoDB against what is known; return the documents that no event explains."""
        unexplained: Unexplained = {}
        for document in self._documents():
            session_id = str(document["_id"])
            if part_of(session_id, parts) != part:
                continue
            session, fields = known.get(session_id), document_fields(document)
            if fields is None:
                partition = session.partition if session else 0
                what = f"the document {session_id} holds no event"
                self._rows[partition].add(Difference("wrong", what, partition))
                continue
            found, sensor_id = version_of(fields), str(fields.get("sensor_id"))
            why = session.judge(found) if session else "no event"
            newer = session is None or session.expected is None or found[0] > session.expected[0]
            if why and newer and len(unexplained) < UNEXPLAINED_HELD:
                unexplained[session_id] = sensor_id, found
            elif session is None:
                self._no_event(session_id, sensor_id, found)
            elif not session.seen:  # a cursor may give a document twice that moved meanwhile
                row = self._rows[session.partition]
                _count(row, "sessions")
                if why is not None:
                    what = f"session {session_id}: {why}"
                    row.add(Difference("wrong", what, row.partition, session.offset, sensor_id))
            if session is not None:
                session.seen = True
        for session_id, session in known.items():
            if session.expected is not None and not session.seen:
                row = self._rows[session.partition]
                what = f"session {session_id} is not in MongoDB"
                row.add(Difference("lost", what, row.partition, session.offset))
        return unexplained

    def _explain(self, unexplained: Unexplained) -> None:
        """Look for the events of these documents among what came since, and name the others."""
        for partition in {partition_of(sensor_id) for sensor_id, _ in unexplained.values()}:
            since = self._messages(topics.SESSIONS, partition, begin=self._ends[partition])
            for message in since:
                fields = read_event(message.value() or b"")
                if fields is None:
                    continue
                _, found = unexplained.get(fields["session_id"], ("", None))
                if found == version_of(fields):
                    del unexplained[fields["session_id"]]
                    _count(self._rows[partition], "sessions")
        for session_id, (sensor_id, found) in unexplained.items():
            self._no_event(session_id, sensor_id, found)

    def _no_event(self, session_id: str, sensor_id: str, found: Version) -> None:
        row = self._rows[partition_of(sensor_id)]
        if self._begins[row.partition]:
            _count(row, "unknown")
            return
        what = f"session {session_id}: revision {found[0]} in MongoDB has no event in the topic"
        row.add(Difference("wrong", what, row.partition, sensor_id=sensor_id))

    def _messages(
        self, topic: str, partition: int, begin: int | None = None, end: int | None = None
    ) -> Iterator[Message]:
        reader = PartitionReader(self._settings.kafka, topic, partition)
        try:
            for batch in reader.batches(begin):
                for message in batch:
                    if end is not None and (message.offset() or 0) >= end:
                        return
                    yield message
        finally:
            reader.close()

    def _documents(self) -> Iterator[dict[str, Any]]:
        client: MongoClient[dict[str, Any]] = MongoClient(
            self._settings.mongo.uri.get_secret_value(),
            serverSelectionTimeoutMS=_SELECT_MS,
            connectTimeoutMS=_SELECT_MS,
            socketTimeoutMS=_ANSWER_MS,
        )
        try:
            sessions = client[self._settings.mongo.database]["sessions"]
            with sessions.find({}, batch_size=_DOCUMENTS_A_READ) as cursor:
                yield from cursor
        except PyMongoError as error:
            reason = str(error).partition(" (configured")[0]
            raise UnavailableError(
                f"reading sessions from MongoDB failed ({reason}): see that it runs "
                "(`imustream status`), then verify again"
            ) from None
        finally:
            client.close()


def _is_tick(message: Message) -> bool:
    return record_headers(message).get(topics.CONTENT_TYPE) == topics.TICK_TYPE.encode()


def _count(row: StageRow, name: str, number: int = 1) -> None:
    row.checked[name] = row.checked.get(name, 0) + number
