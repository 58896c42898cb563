"""A partition of sensor-processing in the hands of a slot that is killed and asked to redrive."""

from collections.abc import Iterator, Mapping

from confluent_kafka import Message

from pipelines import topics
from pipelines.changelog import saved_of
from pipelines.operators.sensor_processing import SensorProcessing
from pipelines.operators.sensor_state import PartitionState
from pipelines.owned_partition import OwnedPartition, SlotIdentity
from pipelines.records import Output
from pipelines.redrive.letter import Letter, is_letter, letter_of
from pipelines.redrive.receipt import Receipt, is_receipt, read_receipt
from pipelines.redrive.request_record import is_request, read_request, request_headers
from pipelines.settings import ProcessingSettings
from pipelines.verify.boots import Rules
from pipelines.verify.ledger_check import compare_ledger
from pipelines.verify.letters import LetterStream
from pipelines.verify.partition_check import PartitionCheck
from pipelines.verify.redrives import Redrives
from pipelines.verify.result import PartitionRow
from pipelines.verify.transformed_rows import RowStream
from pipelines.verify.windows import WindowStream
from tests.unit.frame_building import Record, batch
from tests.unit.stored_messages import Stored, raw_messages, stored_messages

PARTITION = 3
PIPELINE = "sensor-processing"
READ = 5


class RedrivenPartition:
    """The logs as committed, by topic, and the slot's hold on them, which :meth:`restart` loses."""

    def __init__(self, settings: ProcessingSettings) -> None:
        self.settings = settings
        self.raw: list[Record] = []
        self.logs: dict[str, list[Stored]] = {
            topics.TRANSFORMED: [],
            topics.AGGREGATED: [],
            topics.DEAD_LETTERS: [],
        }
        self.changelog: dict[bytes, bytes] = {}
        self.restart()

    def restart(self) -> None:
        """Restore what is committed."""
        self._operator = operator = SensorProcessing(self.settings, "test")
        identity = SlotIdentity(PIPELINE, 1, 0, 1, "test")
        saved = saved_of("changelog", PARTITION, dict(self.changelog))
        self.owned: OwnedPartition[PartitionState] = OwnedPartition(
            operator, identity, PARTITION, saved, 0
        )

    def turn(self, most: int = 10_000, *, snapshot: bool = False, commit: bool = True) -> None:
        """Step up to ``most`` new records and what is asked of dead-letters, and commit it."""
        owned = self.owned
        first, end = owned.position, min(len(self.raw), owned.next_offset + most)
        made: list[Output] = []
        if end > first:
            fresh = owned.replay(batch(self.raw[first:end], first))
            if fresh is not None:
                made += self._operator.step(*fresh)
        if not owned.replaying:
            read_to = len(self.logs[topics.DEAD_LETTERS])
            requests = [
                read_request(offset, key, value, headers, f"{topics.RAW}/{PARTITION}")
                for offset, (key, value, headers) in enumerate(self._dead())
                if offset >= owned.redrive_offset and is_request(headers)
            ]
            made += owned.redrive(requests, read_to, 0)
        if not commit:
            return
        for output in made:
            stored = (output.key, bytes(output.value), output.headers)
            self.logs[output.topic].append(stored)
        for key, value in owned.changelog_records(0, snapshot or owned.must_save):
            if value is None:
                self.changelog.pop(key, None)
            else:
                self.changelog[key] = value

    def letters(self) -> list[Letter]:
        """All dead letters."""
        return [
            letter_of(PARTITION, offset, key, value, headers, 0)
            for offset, (key, value, headers) in enumerate(self._dead())
            if is_letter(headers)
        ]

    def ask(self, letter: Letter) -> None:
        """Ask for a redrive."""
        headers = request_headers(letter, "a test", 0)
        self.logs[topics.DEAD_LETTERS].append((letter.key, letter.value, headers))

    def receipts(self) -> list[Receipt]:
        """All receipts."""
        return [read_receipt(value) for _, value, headers in self._dead() if is_receipt(headers)]

    def verify(self) -> PartitionRow:
        """Verify all that is committed."""
        ledger = saved_of("changelog", PARTITION, dict(self.changelog)).ledger
        assert ledger is not None
        row = PartitionRow(PARTITION, next_offset=ledger.next_offset)
        redrives = Redrives.read(self._stored(topics.DEAD_LETTERS), PIPELINE, ledger.redrive_offset)
        check = PartitionCheck(row, Rules.of(self.settings), 0)
        dead = self._stored(topics.DEAD_LETTERS)
        check.run(
            self._raw_messages(),
            RowStream(self._stored(topics.TRANSFORMED), check.sensors),
            LetterStream(dead, PIPELINE, PARTITION, keep=redrives.letters),
            WindowStream(self._stored(topics.AGGREGATED), redrives.later),
            lambda _records: None,
            redrives,
        )
        compare_ledger(ledger, row, len(self.raw))
        return row

    def _dead(self) -> Iterator[tuple[bytes | None, bytes, Mapping[str, bytes]]]:
        for key, value, headers in self.logs[topics.DEAD_LETTERS]:
            yield key, value, dict(headers)

    def _raw_messages(self) -> Iterator[list[Message]]:
        return raw_messages(self.raw, PARTITION, READ)

    def _stored(self, topic: str) -> Iterator[list[Message]]:
        return stored_messages(topic, self.logs[topic], PARTITION)
