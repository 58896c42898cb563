"""Prove what sensor_processing made of imu-data-all, one partition after the other."""

from collections.abc import Iterator
from contextlib import ExitStack

from confluent_kafka import Message

from pipelines.ledger import Ledger
from pipelines.settings import Settings
from pipelines.topics import AGGREGATED, DEAD_LETTERS, PARTITIONS, RAW, TRANSFORMED
from pipelines.verify.boots import Rules
from pipelines.verify.ledger_check import compare_ledger, read_ledger
from pipelines.verify.letters import LetterStream
from pipelines.verify.partition_check import PartitionCheck
from pipelines.verify.progress import Progress
from pipelines.verify.redrives import Redrives
from pipelines.verify.report_check import ReportedFleet
from pipelines.verify.result import PartitionRow, VerifyResult
from pipelines.verify.streams import PartitionReader
from pipelines.verify.transformed_rows import RowStream
from pipelines.verify.windows import WindowStream

PIPELINE = "sensor-processing"


def verify_sensor_processing(
    settings: Settings, result: VerifyResult, fleet: ReportedFleet | None, progress: Progress
) -> None:
    """Add the accounts of all partitions, and of the fleet where one is reported, to ``result``.

    Raises:
        UnavailableError: Kafka does not answer.
        DataError: a ledger or a transformed record cannot be read.
    """
    for partition in range(PARTITIONS):
        row = _verify_partition(settings, partition, fleet, progress)
        result.partitions.append(row)
        if row.first_offset:
            result.notes.append(
                f"partition {partition}: data below offset {row.first_offset} are deleted by "
                f"retention in one of the topics; the check begins there, without the ledger's "
                f"counts, and {row.unknown} samples and windows on that border are left out"
            )
    if fleet is not None:
        fleet.compare(result)


def _verify_partition(
    settings: Settings, partition: int, fleet: ReportedFleet | None, progress: Progress
) -> PartitionRow:
    kafka = settings.kafka
    # The ledger first: whatever a transaction before it wrote is there when the topics are read.
    ledger = read_ledger(kafka, partition)
    row = PartitionRow(partition, next_offset=0 if ledger is None else ledger.next_offset)
    with ExitStack() as open_readers:
        raw, rows, windows, letters = (
            _reader(open_readers, settings, topic, partition)
            for topic in (RAW, TRANSFORMED, AGGREGATED, DEAD_LETTERS)
        )
        row.lag = max(0, raw.end - max(row.next_offset, raw.begin))
        check = PartitionCheck(
            row, Rules.of(settings.processing), 0 if fleet is None else fleet.started_us
        )
        redrives = _redrives(settings, partition, ledger)
        row_stream = RowStream(rows.batches(), check.sensors)
        row.first_offset = _first_offset(raw, rows, row_stream)
        total = max(0, row.next_offset - raw.begin)
        done = 0

        def read(records: int) -> None:
            nonlocal done
            done += records
            progress(partition, done, total)

        check.run(
            _batches(raw, row.next_offset, to_end=fleet is not None),
            row_stream,
            LetterStream(letters.batches(), PIPELINE, partition, keep=redrives.letters),
            WindowStream(windows.batches(), redrives.later),
            read,
            redrives,
        )
        if ledger is not None:
            compare_ledger(ledger, row, raw.end)
    if fleet is not None:
        fleet.add(check)
    return row


def _redrives(settings: Settings, partition: int, ledger: Ledger | None) -> Redrives:
    """Return what was redriven, as far as the ledger goes; call it when the readers are made.

    Their ends are then before its own, so that the receipt of whatever they read is read too.
    """
    reader = PartitionReader(settings.kafka, DEAD_LETTERS, partition)
    try:
        offset = 0 if ledger is None else ledger.redrive_offset
        return Redrives.read(reader.batches(), PIPELINE, offset)
    finally:
        reader.close()


def _reader(stack: ExitStack, settings: Settings, topic: str, partition: int) -> PartitionReader:
    reader = PartitionReader(settings.kafka, topic, partition)
    stack.callback(reader.close)
    return reader


def _batches(raw: PartitionReader, next_offset: int, *, to_end: bool) -> Iterator[list[Message]]:
    """Yield what is below ``next_offset``, and the rest only if a report asks for it."""
    if raw.begin >= next_offset and not to_end:
        return
    for batch in raw.batches():
        yield batch
        if (batch[-1].offset() or 0) >= next_offset and not to_end:
            return


def _first_offset(raw: PartitionReader, rows: PartitionReader, stream: RowStream) -> int:
    """Return the first raw offset of which all topics still have everything."""
    if rows.begin == 0:
        return raw.begin
    # The rows of one raw record may be in two streams, of which one is deleted.
    first = stream.first_raw_offset()
    offset = max(raw.begin, raw.end if first is None else first + 1)
    stream.until(offset)
    return offset
