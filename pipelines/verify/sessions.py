"""Prove session_aggregation: every session computed again from the windows, and compared."""

from contextlib import ExitStack

from pipelines.settings import Settings
from pipelines.topics import (
    AGGREGATED,
    DEAD_LETTERS,
    PARTITIONS,
    SESSION_AGGREGATION_CHANGELOG,
    SESSIONS,
)
from pipelines.verify.ledger_check import read_ledger
from pipelines.verify.letters import LetterStream
from pipelines.verify.progress import Progress
from pipelines.verify.session_check import SessionCheck
from pipelines.verify.session_events import EventStream
from pipelines.verify.stage_result import StageRow
from pipelines.verify.streams import PartitionReader

STAGE = "session-aggregation"


def verify_sessions(settings: Settings, progress: Progress) -> list[StageRow]:
    """Prove what session_aggregation made of the windows, as far as its ledgers say it came.

    Args:
        settings: where Kafka is, and the session settings that the pipeline ran with.
        progress: is called now and then.

    Raises:
        UnavailableError: Kafka does not answer.
        DataError: a ledger cannot be read.
    """
    return [verify_partition(settings, partition, progress) for partition in range(PARTITIONS)]


def verify_partition(settings: Settings, partition: int, progress: Progress) -> StageRow:
    """Prove one partition; arguments and errors as of :func:`verify_sessions`."""
    # The ledger first: whatever a transaction before it wrote is there when the topics are read.
    ledger = read_ledger(settings.kafka, partition, SESSION_AGGREGATION_CHANGELOG)
    next_offset = 0 if ledger is None else ledger.next_offset
    row = StageRow(STAGE, partition)
    with ExitStack() as open_readers:
        aggregated, sessions, letters = (
            _reader(open_readers, settings, topic, partition)
            for topic in (AGGREGATED, SESSIONS, DEAD_LETTERS)
        )
        first_offset = aggregated.begin
        row.lag = max(0, aggregated.end - max(next_offset, first_offset))
        events = EventStream(sessions.batches(), whole=not (first_offset or sessions.begin))
        first = events.first_event() if sessions.begin else None
        check = SessionCheck(
            row, settings.sessions, first_offset, 0 if first is None else first.through_offset
        )
        total, done = max(0, next_offset - first_offset), 0

        def read(records: int) -> None:
            nonlocal done
            done += records
            progress(partition, done, total)

        check.run(
            aggregated.batches() if next_offset > first_offset else iter(()),
            events,
            LetterStream(letters.batches(), STAGE, partition, AGGREGATED),
            next_offset,
            read,
        )
        if ledger is not None:
            check.compare_ledger(ledger, aggregated.end)
    row.checked = check.checked()
    if first_offset:
        row.notes.append(
            f"sessions of partition {partition}: windows below offset {first_offset} are deleted "
            f"by retention; {len(check.unknown)} sensors that may have sessions from before are "
            "left out, and the ledger's counts"
        )
    return row


def _reader(stack: ExitStack, settings: Settings, topic: str, partition: int) -> PartitionReader:
    reader = PartitionReader(settings.kafka, topic, partition)
    stack.callback(reader.close)
    return reader
