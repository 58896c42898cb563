"""The ledger of a partition: read it, and hold it to the account."""

from confluent_kafka import Message
from msgspec import DecodeError

from pipelines.errors import DataError
from pipelines.ledger import LEDGER_KEY, Ledger, decode_ledger
from pipelines.settings import KafkaSettings
from pipelines.topics import SENSOR_PROCESSING_CHANGELOG
from pipelines.verify.result import Difference, PartitionRow
from pipelines.verify.streams import PartitionReader

COUNTS = (
    "records",
    "ticks",
    "bytes",
    "frames",
    "transformed",
    "duplicates",
    "heartbeats",
    "dead_letters",
    "redriven",
    "samples",
    "samples_transformed",
    "samples_duplicate",
    "samples_late",
    "windows",
)


def read_ledger(
    kafka: KafkaSettings, partition: int, changelog_topic: str = SENSOR_PROCESSING_CHANGELOG
) -> Ledger | None:
    """Return a pipeline's newest ledger of a partition; None before its first transaction.

    Raises:
        UnavailableError: Kafka does not answer.
        DataError: the record cannot be read.
    """
    reader = PartitionReader(kafka, changelog_topic, partition)
    newest: Message | None = None
    try:
        for batch in reader.batches():
            for message in batch:
                if message.key() == LEDGER_KEY:
                    newest = message
    finally:
        reader.close()
    if newest is None:
        return None
    try:
        return decode_ledger(newest.value() or b"")
    except DecodeError as error:
        raise DataError(
            f"{changelog_topic}/{partition}/{newest.offset()} is no ledger: {error}"
        ) from None


def compare_ledger(ledger: Ledger, row: PartitionRow, raw_end: int) -> None:
    """Report where the ledger's counts are not those of the data."""
    counts = ledger.counts
    parts = ("transformed", "duplicates", "heartbeats", "dead_letters")
    if counts.get("frames", 0) != sum(counts.get(name, 0) for name in parts):
        _add(
            row, "the ledger's frames are not transformed + duplicates + heartbeats + dead letters"
        )
    if ledger.partition != row.partition:
        _add(row, f"the ledger says partition {ledger.partition}")
    if ledger.next_offset > raw_end:
        _add(row, f"the ledger says next_offset {ledger.next_offset}, the input ends at {raw_end}")
    if row.first_offset:
        return  # It counts from the beginning, of which a part is deleted.
    for name in COUNTS:
        said, found = counts.get(name, 0), getattr(row, name)
        if said != found:
            _add(row, f"the ledger says {said} {name}, the data {found}")


def _add(row: PartitionRow, what: str) -> None:
    row.add(Difference("wrong", what, row.partition))
