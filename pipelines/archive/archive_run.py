"""One run of a slot of the archive: records of its partitions, gathered, then written as files.

A range of offsets is written in three steps: its end is committed as an intent; its files, a pure
function of the range, are written; its end is committed as done. Whatever ends a run in between,
the next one finds the intent, reads exactly that range again and writes the same files over
those that are there. So no row is lost, and none is there twice.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Final

import pyarrow as pa
from confluent_kafka import KafkaException, TopicPartition
from msgspec.structs import replace

from pipelines import metrics, topics
from pipelines.archive.files import files_of
from pipelines.archive.first_offsets import first_offsets
from pipelines.archive.kafka_records import FETCH, MESSAGES_A_READ, Arrivals, read_range
from pipelines.archive.layout import OffsetRange, path_of
from pipelines.archive.object_store import open_store
from pipelines.archive.pending import Pending, largest_beyond
from pipelines.archive.record import Record, UnreadableRecordError
from pipelines.control import ControlState
from pipelines.errors import PipelineStoppedError
from pipelines.kafka_clients import unavailable
from pipelines.owned_partition import SlotIdentity
from pipelines.settings import Settings
from pipelines.sinks.sink_offsets import Mark, Place, SinkOffsets
from pipelines.slot import partitions_of

NAME: Final = topics.ARCHIVE

_TURN_S = 0.5
_TURN_BYTES = 32 * 1024 * 1024
"""Kafka bytes of one turn, after which it ends however many records it has."""
_REREAD_WAIT_S = 30.0
_RENEW_S = 3_600.0
"""Offsets that nobody commits expire, after a week unless a cluster says otherwise."""


class ArchiveRun:
    """See :class:`pipelines.slot_run.SlotRun`; not for use by several threads."""

    def __init__(self, settings: Settings, identity: SlotIdentity) -> None:
        """Make the clients; nothing is read or fenced before :meth:`open`."""
        self._settings = settings
        self._bounds = settings.archive
        self._identity = identity
        self._store = open_store(settings)
        self._offsets = SinkOffsets(settings, identity, FETCH)
        self._pending: dict[Place, Pending] = {}
        self._marks: dict[Place, Mark] = {}
        self._renew_due_s = 0.0
        self.turn_s = _TURN_S
        self.commits = 0
        self.last_commit_us = 0

    def open(self) -> ControlState:
        """Fence the predecessor, write the ranges that it meant to, and begin to read.

        Raises:
            FencedError: a newer instance or generation runs.
            PipelineStoppedError: records are gone, or there are files that no mark knows of.
            UnavailableError: Kafka or the store did not answer.
            ConfigurationError: the store refuses us.
        """
        # Before anything is fenced or read: while the store is away nothing else is of use.
        self._store.check()
        places = [
            Place(topic, partition)
            for topic in topics.SINKS[topics.ARCHIVE]
            for partition in partitions_of(self._identity.slot, self._identity.slots)
        ]
        control, marks = self._offsets.open(places)
        firsts = first_offsets(self._settings, self._offsets.consumer, self._store, marks, places)
        for place in places:
            known = marks.get(place)
            self._marks[place] = self._in_own_name(known, firsts[place])
        # It is seen to own its partitions from now on.
        self._commit(self._marks)
        self._write_intended()
        for place, mark in self._marks.items():
            self._pending[place] = _beginning_at(place, mark)
        self._assign()
        return control

    def turn(self, wait_s: float) -> int:
        """Take in what comes within ``wait_s``; write what is due. Returns the records taken in.

        Raises:
            FencedError, TransactionAbortedError, UnavailableError: the run is over.
            ConfigurationError: the store refuses us.
            PipelineStoppedError: a record cannot be archived.
        """
        arrived = self._read(wait_s)
        now_s = time.monotonic()
        for place, records in arrived.records.items():
            self._take_in(self._pending[place], records, now_s)
        for place, end in arrived.ends.items():
            self._pending[place].skip_to(end, now_s)
        due = [one for one in self._pending.values() if one.due(self._bounds, now_s)]
        waiting = [one for one in self._pending.values() if one not in due]
        due += largest_beyond(waiting, self._bounds.max_buffer_bytes)
        if due:
            self._write(due)
        elif now_s >= self._renew_due_s:
            self._commit({place: self._in_own_name(mark) for place, mark in self._marks.items()})
        self._tell_staleness(now_s)
        return arrived.count

    def flush(self) -> None:
        """Write all that waits, due or not; raises as :meth:`turn`."""
        self._write([one for one in self._pending.values() if one.rows])

    def holds_below(self, ends: Mapping[Place, int]) -> bool:
        """Whether all below these offsets has been taken in."""
        return all(self._pending[place].position >= end for place, end in ends.items())

    def finish(self) -> None:
        """Leave what waits to the next run, which reads it again: nothing is half written."""

    def close(self) -> None:
        """Drop the clients."""
        self._offsets.close()

    def _read(self, wait_s: float) -> Arrivals:
        """Return what comes within ``wait_s``, or what is there already and bounded."""
        arrived = Arrivals()
        deadline = time.monotonic() + wait_s
        while True:
            left_s = max(0.0, deadline - time.monotonic())
            try:
                messages = self._offsets.consumer.consume(MESSAGES_A_READ, left_s)
                arrived.add(messages)
            except KafkaException as error:
                where = self._settings.kafka.bootstrap_servers
                raise unavailable(error, "reading the archive's topics", where) from None
            full = arrived.count >= self._settings.slot.max_records or arrived.bytes >= _TURN_BYTES
            if full or len(messages) < MESSAGES_A_READ:
                return arrived

    def _tell_staleness(self, now_s: float) -> None:
        stale_s: dict[str, float] = {}
        for (topic, _), pending in self._pending.items():
            stale_s[topic] = max(stale_s.get(topic, 0.0), pending.waited_s(now_s))
        for topic, waited_s in stale_s.items():
            metrics.ARCHIVE_STALENESS_SECONDS.set(waited_s, topic)

    def _take_in(self, pending: Pending, records: Sequence[Record], now_s: float) -> None:
        try:
            pending.add(records, now_s)
        except UnreadableRecordError as error:
            topic, partition = pending.place
            raise PipelineStoppedError(
                f"{topic}/{partition}/{error.offset} cannot be archived: {error}. Nothing is "
                "skipped: run code that knows this form of records, or stop what wrote it; then "
                "pause and resume the pipeline"
            ) from None

    def _write(self, due: Sequence[Pending]) -> None:
        """Write these ranges; all of them share two commits."""
        intents = {
            one.place: replace(self._in_own_name(self._marks[one.place]), intent_end=one.position)
            for one in due
            if one.rows
        }
        if intents:
            self._commit(intents)
        self._commit({one.place: self._written(one) for one in due})
        for one in due:
            self._pending[one.place] = _beginning_at(one.place, self._marks[one.place])
        pa.default_memory_pool().release_unused()

    def _written(self, pending: Pending) -> Mark:
        """Write a range's files and return the mark that says so; without rows it goes on."""
        mark = self._in_own_name(self._marks[pending.place])
        if not pending.rows:
            return replace(
                mark, next_offset=pending.position, range_start=pending.start, intent_end=None
            )
        offsets = OffsetRange(*pending.place, pending.start, pending.position)
        files = content_bytes = 0
        for file, content, _ in files_of(offsets, pending.pieces, pending.records):
            self._store.put(path_of(file), content)
            files += 1
            content_bytes += len(content)
        # Of several ranges written together only one is held twice, as rows and as files.
        pending.pieces.clear()
        added = {
            "records": pending.records,
            "rows": pending.rows,
            "files": files,
            "bytes": content_bytes,
        }
        counts = {name: mark.counts.get(name, 0) + value for name, value in added.items()}
        return replace(
            mark, next_offset=pending.position, range_start=None, intent_end=None, counts=counts
        )

    def _write_intended(self) -> None:
        """Write the ranges that a run before this one meant to, exactly as it would have."""
        done: dict[Place, Mark] = {}
        for place, mark in self._marks.items():
            if mark.intent_end is not None:
                done[place] = self._written(self._read_again(place, mark, mark.intent_end))
        if done:
            self._commit(done)

    def _read_again(self, place: Place, mark: Mark, end: int) -> Pending:
        try:
            found = read_range(self._offsets.consumer, place, mark.next_offset, end, _REREAD_WAIT_S)
        except KafkaException as error:
            where = self._settings.kafka.bootstrap_servers
            raise unavailable(error, f"reading {place.topic} again", where) from None
        pending = _beginning_at(place, mark)
        now_s = time.monotonic()
        if records := found.records.get(place, []):
            self._take_in(pending, records, now_s)
        pending.skip_to(end, now_s)
        return pending

    def _assign(self) -> None:
        places = self._pending.items()
        self._offsets.consumer.assign(
            [TopicPartition(*place, pending.position) for place, pending in places]
        )

    def _in_own_name(self, mark: Mark | None, first: int = 0) -> Mark:
        identity = self._identity
        return replace(
            mark or Mark(first, identity.generation, identity.slot, identity.code_version),
            generation=identity.generation,
            slot=identity.slot,
            code_version=identity.code_version,
            committed_us=time.time_ns() // 1000,
        )

    def _commit(self, marks: dict[Place, Mark]) -> None:
        self._offsets.commit(marks)
        self._marks |= marks
        self.commits += 1
        self.last_commit_us = time.time_ns() // 1000
        if len(marks) == len(self._marks):
            self._renew_due_s = time.monotonic() + _RENEW_S


def _beginning_at(place: Place, mark: Mark) -> Pending:
    start = mark.next_offset if mark.range_start is None else mark.range_start
    return Pending(place, start, mark.next_offset)
