"""One partition as session_aggregation leaves it, to be tampered with and then verified."""

from collections.abc import Iterator, Sequence

import orjson
from confluent_kafka import Message

from pipelines import topics
from pipelines.ledger import Ledger
from pipelines.operators.session_aggregation import SessionAggregation
from pipelines.settings import SessionSettings
from pipelines.verify.letters import LetterStream
from pipelines.verify.session_check import SessionCheck
from pipelines.verify.session_events import EventStream
from pipelines.verify.sessions import STAGE
from pipelines.verify.stage_result import StageRow
from tests.unit.frame_building import Record, batch
from tests.unit.stored_messages import Stored, stored_messages

BATCH = 7
PARTITION = 3


class AggregatedPartition:
    """Windows, outputs by topic, and the ledger's counts."""

    def __init__(self, records: Sequence[Record], settings: SessionSettings) -> None:
        self.settings = settings
        self.input = list(records)
        self.outputs: dict[str, list[Stored]] = {topics.SESSIONS: [], topics.DEAD_LETTERS: []}
        operator = SessionAggregation(settings, "test")
        state = operator.new_state(PARTITION)
        for first in range(0, len(records), BATCH):
            part = batch(records[first : first + BATCH], first)
            for output in operator.step(state, part):
                self.outputs[output.topic].append((output.key, bytes(output.value), output.headers))
        self.counts = operator.counts(state)
        self.next_offset = len(records)

    def events(self) -> list[int]:
        """Where the events stand; the other records of the topic are ticks."""
        stored = self.outputs[topics.SESSIONS]
        return [at for at, (key, _, _) in enumerate(stored) if key is not None]

    def edit(self, at: int, **fields: object) -> None:
        """Alter an event."""
        key, value, headers = self.outputs[topics.SESSIONS][at]
        altered = orjson.dumps(orjson.loads(value) | fields)
        self.outputs[topics.SESSIONS][at] = (key, altered, headers)

    def verify(self, first_offset: int = 0) -> StageRow:
        """Verify what is there now, as if input below ``first_offset`` were deleted."""
        row = StageRow(STAGE, PARTITION)
        check = SessionCheck(row, self.settings, first_offset, 0)
        check.run(
            self._input(first_offset),
            EventStream(self._stored(topics.SESSIONS), whole=not first_offset),
            LetterStream(self._stored(topics.DEAD_LETTERS), STAGE, PARTITION, topics.AGGREGATED),
            self.next_offset,
            lambda _records: None,
        )
        check.compare_ledger(self.ledger(), len(self.input))
        row.checked = check.checked()
        return row

    def ledger(self) -> Ledger:
        """The ledger as of ``next_offset``."""
        return Ledger(
            pipeline=STAGE,
            partition=PARTITION,
            generation=1,
            slot=0,
            next_offset=self.next_offset,
            snapshot_offset=0,
            committed_us=0,
            code_version="test",
            counts=self.counts,
        )

    def _input(self, first_offset: int) -> Iterator[list[Message]]:
        stored: list[Stored] = [(key, value, ()) for key, value, _ in self.input]
        read = stored_messages(topics.AGGREGATED, stored, PARTITION)
        messages = [message for (message,) in read][first_offset:]
        for first in range(0, len(messages), BATCH):
            yield messages[first : first + BATCH]

    def _stored(self, topic: str) -> Iterator[list[Message]]:
        return stored_messages(topic, self.outputs[topic], PARTITION)
