"""Rows of one sensor that the archive does not have yet, from Kafka: the tail of its partition.

The archive leaves records in Kafka for minutes at most, and 64 MB of a partition at most: that much
is read, of which all but one sensor's rows are passed over.
"""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from confluent_kafka import Consumer, KafkaException, TopicPartition

from pipelines import topics
from pipelines.archive.kafka_records import MESSAGES_A_READ, Arrivals
from pipelines.archive.record import Record, UnreadableRecordError
from pipelines.archive.rows import has_rows, rows_of
from pipelines.archive.schemas import TIME_COLUMN
from pipelines.errors import UnavailableError
from pipelines.kafka_clients import Options, consumer_options, new_consumer, unavailable, watermarks
from pipelines.settings import KafkaSettings
from serve.history.archived_rows import in_span
from serve.history.span import Budget, Span

_CLIENT = "imustream-api-history"
_OPTIONS: Options = {"enable.partition.eof": True, "fetch.wait.max.ms": 20}
_KEYED = frozenset({topics.AGGREGATED, topics.SESSIONS})
"""Topics whose records are each of the sensor that their key names."""
_SENSOR = "sensor_id"
_POLL_S = 0.25


class TailIncompleteError(UnavailableError):
    """More waits in Kafka than one answer may read; what was read before is right."""


def tail_rows(
    settings: KafkaSettings, span: Span, begin: int, most_bytes: int, budget: Budget
) -> Iterator[pa.Table]:
    """Yield the rows of a span from offset ``begin`` to the partition's end as it is now.

    Raises:
        TailIncompleteError: more than ``most_bytes`` wait there; or the time is up.
        UnavailableError: the brokers do not answer, or a record cannot be read.
        DataError: too many rows must be looked at.
    """
    consumer: Consumer = new_consumer(consumer_options(settings, _CLIENT) | _OPTIONS)
    try:
        low, end = watermarks(consumer, *span.place)
        for records in _records(consumer, span, max(low, begin), end, most_bytes, budget):
            mine = [record for record in records if _may_be_of(span, record)]
            if mine:
                found = _rows(span, mine, budget)
                if len(found):
                    yield found
    except KafkaException as error:
        raise unavailable(error, f"reading {span.topic}", settings.bootstrap_servers) from None
    finally:
        consumer.close()


def _records(
    consumer: Consumer, span: Span, position: int, end: int, most_bytes: int, budget: Budget
) -> Iterator[Sequence[Record]]:
    consumer.assign([TopicPartition(*span.place, position)])
    left = most_bytes
    while position < end:
        if left <= 0 or budget.left_s <= 0:
            raise TailIncompleteError(
                f"{end - position} offsets of {span.topic}/{span.place.partition} that are not "
                "archived yet were not read (settings history.max_tail_bytes and "
                "history.timeout_s)"
            )
        # `consume` would wait until it has as many as it is asked for.
        first = consumer.poll(min(_POLL_S, budget.left_s))
        if first is None:
            continue
        arrived = Arrivals()
        arrived.add([first, *consumer.consume(MESSAGES_A_READ - 1, 0.0)])
        left -= arrived.bytes
        records = arrived.records.get(span.place, [])
        if records:
            position = records[-1].offset + 1
        position = max(position, arrived.ends.get(span.place, 0))
        yield records


def _may_be_of(span: Span, record: Record) -> bool:
    if not has_rows(span.topic, record):
        return False
    return span.topic not in _KEYED or record.key == span.sensor_id.encode()


def _rows(span: Span, records: Sequence[Record], budget: Budget) -> pa.Table:
    try:
        table = rows_of(span.topic, records)
    except UnreadableRecordError as error:
        place = f"{span.topic}/{span.place.partition}/{error.offset}"
        raise UnavailableError(f"{place} cannot be read: {error}") from None
    budget.spend(len(table))
    mine = pc.equal(table[_SENSOR].cast(pa.string()), span.sensor_id)
    return table.filter(pc.and_(mine, in_span(table[TIME_COLUMN[span.topic]], span))).select(
        span.columns
    )
