"""One partition as sensor_processing leaves it, to be tampered with and then verified."""

from collections.abc import Iterator, Sequence

from confluent_kafka import Message

from pipelines import topics
from pipelines.ledger import Ledger
from pipelines.operators.sensor_processing import SensorProcessing
from pipelines.settings import ProcessingSettings
from pipelines.verify.boots import Rules
from pipelines.verify.ledger_check import compare_ledger
from pipelines.verify.letters import LetterStream
from pipelines.verify.partition_check import PartitionCheck
from pipelines.verify.result import PartitionRow
from pipelines.verify.transformed_rows import RowStream
from pipelines.verify.windows import WindowStream
from tests.unit.frame_building import Record, batch
from tests.unit.stored_messages import Stored, raw_messages, stored_messages

BATCH = 7
PARTITION = 3


class ProcessedPartition:
    """Input, outputs by topic, and the ledger's counts."""

    def __init__(self, records: Sequence[Record], settings: ProcessingSettings) -> None:
        self.settings = settings
        self.raw = list(records)
        self.outputs: dict[str, list[Stored]] = {
            topics.TRANSFORMED: [],
            topics.AGGREGATED: [],
            topics.DEAD_LETTERS: [],
        }
        operator = SensorProcessing(settings, "test")
        state = operator.new_state(PARTITION)
        for first in range(0, len(records), BATCH):
            part = batch(records[first : first + BATCH], first)
            for output in operator.step(state, part):
                self.outputs[output.topic].append((output.key, bytes(output.value), output.headers))
        self.counts = operator.counts(state)
        self.next_offset = len(records)

    def verify(self) -> PartitionRow:
        """Verify what is there now."""
        row = PartitionRow(PARTITION, next_offset=self.next_offset)
        check = PartitionCheck(row, Rules.of(self.settings), 0)
        check.run(
            self._raw(),
            RowStream(self._stored(topics.TRANSFORMED), check.sensors),
            LetterStream(self._stored(topics.DEAD_LETTERS), "sensor-processing", PARTITION),
            WindowStream(self._stored(topics.AGGREGATED)),
            lambda _records: None,
        )
        compare_ledger(self.ledger(), row, len(self.raw))
        return row

    def ledger(self) -> Ledger:
        """The ledger as of ``next_offset``."""
        return Ledger(
            pipeline="sensor-processing",
            partition=PARTITION,
            generation=1,
            slot=0,
            next_offset=self.next_offset,
            snapshot_offset=0,
            committed_us=0,
            code_version="test",
            counts=self.counts,
        )

    def _raw(self) -> Iterator[list[Message]]:
        return raw_messages(self.raw, PARTITION, BATCH)

    def _stored(self, topic: str) -> Iterator[list[Message]]:
        return stored_messages(topic, self.outputs[topic], PARTITION)
