"""Seek rows in Kafka: at the time they should be from, else by halving, never a whole topic."""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import Final, NamedTuple, TypeVar

import pyarrow as pa
from confluent_kafka import Consumer, KafkaException, TopicPartition

from cluster.trace.bisection import Sight, start_of
from cluster.trace.deadline import Deadline
from cluster.trace.wanted import Sighting, Wanted, largest_key, smallest_key
from pipelines.archive.kafka_records import MESSAGES_A_READ, Arrivals
from pipelines.archive.record import Record
from pipelines.archive.rows import has_rows, rows_of
from pipelines.kafka_clients import (
    REQUEST_TIMEOUT_S,
    Options,
    consumer_options,
    new_consumer,
    retry_transient,
    unavailable,
    watermarks,
)
from pipelines.settings import KafkaSettings
from pipelines.sinks.sink_offsets import Place

Answer = TypeVar("Answer")
Batches = Generator[Sequence[Record], None, None]

CLOCKS_APART_US: Final = 2_000_000
"""How far the clocks of those who write records may be apart."""

_CLIENT: Final = "imustream-trace"
_OPTIONS: Final[Options] = {
    "enable.partition.eof": True,
    "fetch.wait.max.ms": 20,
    # A look at one record need not bring 32 MB of those behind it.
    "max.partition.fetch.bytes": 1_048_576,
    "queued.max.messages.kbytes": 4_096,
}
_POLL_S: Final = 0.25


class When(NamedTuple):
    """When Kafka has a row from.

    since_us: read from there on first; None where no time is known
    for_us:   how much of Kafka's time is read before the row is sought by halving
    sure:     whether the row cannot have been written before
    """

    since_us: int | None
    for_us: int
    sure: bool


class KafkaSearch:
    """Looks into partitions; whatever takes longer than the deadline ends without a find."""

    def __init__(self, settings: KafkaSettings, deadline: Deadline) -> None:
        self._settings = settings
        self._deadline = deadline
        self._bounds: dict[Place, tuple[int, int]] = {}

    def bounds(self, place: Place) -> tuple[int, int]:
        """Return the first offset there is and the one after the last committed record.

        They are asked for once. Raises UnavailableError, as every method.
        """
        if place not in self._bounds:
            self._bounds[place] = self._ask(lambda consumer: watermarks(consumer, *place), place)
        return self._bounds[place]

    def offset_at(self, place: Place, time_us: int) -> int:
        """Return the first offset whose record Kafka has from that time or later."""
        low, high = self.bounds(place)
        asked = [TopicPartition(*place, max(0, time_us // 1000))]
        (answer,) = self._ask(
            lambda consumer: retry_transient(
                lambda: consumer.offsets_for_times(asked, timeout=REQUEST_TIMEOUT_S)
            ),
            place,
        )
        offset = answer.offset
        return high if offset is None or offset < 0 else min(max(low, offset), high)

    def record(self, place: Place, offset: int) -> Record | None:
        """Return the record at an offset; None where it is not there (any more)."""
        low, high = self.bounds(place)
        if not low <= offset < high:
            return None
        for records in self.records(place, offset, offset + 1):
            return next((record for record in records if record.offset == offset), None)
        return None

    def find(self, wanted: Wanted, when: When) -> Sighting | None:
        """Return the first row that is wanted; None where it is not found in the time there is."""
        low, high = self.bounds(wanted.place)
        if when.since_us is not None:
            start = self.offset_at(wanted.place, when.since_us - CLOCKS_APART_US)
            until_us = when.since_us + when.for_us
            found, passed = self._read_on(wanted, start, high, until_us)
            if found is not None or (when.sure and passed):
                return found
            if when.sure:
                low = start
        start = start_of(low, high, wanted.key, self._probe(wanted))
        return self._read_on(wanted, start, high, None)[0]

    def records(
        self, place: Place, start: int, end: int
    ) -> Generator[Sequence[Record], None, None]:
        """Yield the committed records of [start, end), some at a time, until the time is up."""
        consumer: Consumer = new_consumer(consumer_options(self._settings, _CLIENT) | _OPTIONS)
        try:
            # A consumer for each reading: one that is assigned anew may first give what it had
            # fetched before, from further on.
            consumer.assign([TopicPartition(*place, start)])
            position = start
            while position < end and not self._deadline.passed:
                # `consume` would wait until it has as many as it is asked for.
                first = consumer.poll(min(_POLL_S, self._deadline.left_s))
                if first is None:
                    continue
                arrived = Arrivals()
                arrived.add([first, *consumer.consume(MESSAGES_A_READ - 1, 0.0)])
                records = arrived.records.get(place, [])
                if records:
                    position = records[-1].offset + 1
                    yield [record for record in records if record.offset < end]
                position = max(position, arrived.ends.get(place, 0))
        except KafkaException as error:
            what = f"reading {place.topic}/{place.partition}"
            raise unavailable(error, what, self._settings.bootstrap_servers) from None
        finally:
            consumer.close()

    def _read_on(
        self, wanted: Wanted, start: int, end: int, until_us: int | None
    ) -> tuple[Sighting | None, bool]:
        """Return the row, and whether there is nothing more to be read that could be it."""
        with closing(self.records(wanted.place, start, end)) as batches:
            for records in batches:
                for record in records:
                    if until_us is not None and record.timestamp_us > until_us:
                        return None, False
                    rows = _rows(wanted, record)
                    if rows is None:
                        continue
                    if found := rows.filter(wanted.condition).slice(0, 1).to_pylist():
                        return Sighting(found[0], record.offset, record.timestamp_us, None), True
                    least = smallest_key(wanted, rows)
                    if least is not None and least > wanted.beyond:
                        return None, True
        return None, True

    def _probe(self, wanted: Wanted) -> Callable[[int, int], Sight | None]:
        def look(start: int, end: int) -> Sight | None:
            with closing(self.records(wanted.place, start, end)) as batches:
                for records in batches:
                    for record in records:
                        rows = _rows(wanted, record)
                        largest = None if rows is None else largest_key(wanted, rows)
                        if largest is not None:
                            return Sight(record.offset, largest)
            return None

        return look

    def _ask(self, ask: Callable[[Consumer], Answer], place: Place) -> Answer:
        consumer = new_consumer(consumer_options(self._settings, _CLIENT))
        try:
            return ask(consumer)
        except KafkaException as error:
            what = f"asking for offsets of {place.topic}/{place.partition}"
            raise unavailable(error, what, self._settings.bootstrap_servers) from None
        finally:
            consumer.close()


def _rows(wanted: Wanted, record: Record) -> pa.Table | None:
    """Return the rows of a record that may hold what is wanted; None where it holds none of it."""
    if not has_rows(wanted.topic, record):
        return None
    if record.key is not None and record.key != wanted.sensor_id.encode():
        return None
    return rows_of(wanted.topic, [record])
