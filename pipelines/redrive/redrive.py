"""Ask the slots to step letters again, and wait for their receipts.

It may be interrupted and run again as often as one likes: a slot steps each letter once.
"""

import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition

from pipelines import topics
from pipelines.compacted import reader
from pipelines.errors import UnavailableError
from pipelines.kafka_clients import kafka_error, new_producer, producer_options, unavailable
from pipelines.redrive.choice import why_not_redriven
from pipelines.redrive.letter import Letter
from pipelines.redrive.receipt import Receipt, is_receipt, read_receipt
from pipelines.redrive.redriven_letters import RedrivenLetters
from pipelines.redrive.request_record import request_headers
from pipelines.settings import KafkaSettings

REFUSALS_KEPT: Final = 100
"""Refusals named one by one; the others are counted."""

_FLUSH_S: Final = 30.0
_READ: Final = 500
_WAIT_S: Final = 0.2

Place = tuple[int, int]
"""Partition and offset of a letter."""


class Refusal(NamedTuple):
    """A letter that is not redriven, and why."""

    partition: int
    offset: int
    why: str


@dataclass
class RedriveReport:
    """What became of the letters.

    matched:   all that were meant
    requested: for which a request was written; with ``dry_run`` for which one would be
    redriven:  which the slots have stepped now
    already:   which had been redriven before
    refused:   the first that cannot be redriven; ``refusals`` are all of them
    pending:   requested, and not answered yet: the slots come to them
    counts:    what became of the redriven ones, by the names of the ledger's counts
    """

    matched: int = 0
    requested: int = 0
    redriven: int = 0
    already: int = 0
    refusals: int = 0
    pending: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    refused: list[Refusal] = field(default_factory=list)

    def refuse(self, letter: Place, why: str) -> None:
        """Count a refusal, and keep it if it is one of the first."""
        self.refusals += 1
        if len(self.refused) < REFUSALS_KEPT:
            self.refused.append(Refusal(*letter, why))

    def as_json(self) -> dict[str, Any]:
        """Return it as the command line and the api give it."""
        values = {name: getattr(self, name) for name in _NUMBERS}
        refused = [refusal._asdict() for refusal in self.refused]
        return {**values, "counts": dict(self.counts), "refused": refused}


_NUMBERS: Final = ("matched", "requested", "redriven", "already", "refusals", "pending")

Show = Callable[[RedriveReport], None]


def redrive(
    kafka: KafkaSettings,
    letters: Iterable[Letter],
    redriven: Mapping[int, RedrivenLetters],
    *,
    asked_by: str = "",
    dry_run: bool = False,
    wait_s: float = 0.0,
    show: Show = lambda _report: None,
) -> RedriveReport:
    """Request a redrive of ``letters``, which have their bytes, and wait for the slots.

    Args:
        kafka: where.
        letters: which.
        redriven: which were redriven before, as the slots' changelog says.
        asked_by: who asks, for the record; the user and the machine if it is left out.
        dry_run: only say what would be done.
        wait_s: how long to wait for receipts.
        show: is called now and then.

    Raises:
        UnavailableError: the brokers did not answer; what was requested by then is redriven.
    """
    report = RedriveReport()
    asker = _Asker(kafka, asked_by or _me(), report)
    for letter in letters:
        report.matched += 1
        why = why_not_redriven(letter)
        if why is not None:
            report.refuse((letter.partition, letter.offset), why)
        elif letter.offset in redriven[letter.partition]:
            report.already += 1
        elif dry_run:
            report.requested += 1
        else:
            asker.ask(letter)
        show(report)
    asker.flush()
    if report.pending and wait_s > 0:
        _await_receipts(kafka, asker, report, wait_s, show)
    return report


class _Asker:
    """Writes requests. ``begins`` is where the first of each partition stands."""

    def __init__(self, kafka: KafkaSettings, asked_by: str, report: RedriveReport) -> None:
        self._kafka = kafka
        self._asked_by = asked_by
        self._report = report
        self._producer: Producer | None = None
        self._failed: KafkaError | None = None
        self.begins: dict[int, int] = {}
        self.pending: set[Place] = set()

    def ask(self, letter: Letter) -> None:
        if self._producer is None:
            self._producer = new_producer(producer_options(self._kafka, "imustream-redrive"))
        place = letter.partition, letter.offset

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                self._failed = error
                return
            partition, offset = letter.partition, message.offset() or 0
            self.begins[partition] = min(offset, self.begins.get(partition, offset))
            self.pending.add(place)
            self._report.requested += 1
            self._report.pending += 1

        headers: Any = request_headers(letter, self._asked_by, time.time_ns() // 1000)
        while True:
            try:
                self._producer.produce(
                    topics.DEAD_LETTERS,
                    key=letter.key,
                    value=letter.value,
                    partition=letter.partition,
                    headers=headers,
                    on_delivery=delivered,
                )
                break
            except BufferError:
                self._producer.poll(_WAIT_S)
            except KafkaException as error:
                if kafka_error(error).code() != KafkaError.MSG_SIZE_TOO_LARGE:
                    raise self._unavailable(kafka_error(error)) from None
                self._report.refuse(place, "with its request it is larger than Kafka takes")
                return
        self._producer.poll(0)
        if self._failed is not None:
            raise self._unavailable(self._failed)

    def flush(self) -> None:
        """Wait until all requests are in Kafka."""
        if self._producer is None:
            return
        left = self._producer.flush(_FLUSH_S)
        if left or self._failed is not None:
            raise self._unavailable(self._failed or KafkaError(KafkaError._TIMED_OUT))

    def _unavailable(self, error: KafkaError) -> UnavailableError:
        what, where = "asking for a redrive", self._kafka.bootstrap_servers
        return unavailable(KafkaException(error), what, where)


def _await_receipts(
    kafka: KafkaSettings, asker: _Asker, report: RedriveReport, wait_s: float, show: Show
) -> None:
    deadline = time.monotonic() + wait_s
    consumer = reader(kafka, "imustream-redrive")
    try:
        consumer.assign(
            [TopicPartition(topics.DEAD_LETTERS, p, at) for p, at in asker.begins.items()]
        )
        while asker.pending and time.monotonic() < deadline:
            for message in consumer.consume(_READ, _WAIT_S):
                if message.error() is None:
                    _take(message, asker, report)
            show(report)
    except KafkaException as error:
        raise unavailable(error, "awaiting receipts", kafka.bootstrap_servers) from None
    finally:
        consumer.close()


def _take(message: Message, asker: _Asker, report: RedriveReport) -> None:
    pairs: Any = message.headers() or ()
    if not is_receipt({name: value or b"" for name, value in pairs}):
        return
    receipt: Receipt = read_receipt(message.value() or b"")
    place = message.partition() or 0, receipt.letter
    if place not in asker.pending:
        return
    asker.pending.discard(place)
    report.pending -= 1
    if receipt.outcome == "redriven":
        report.redriven += 1
        report.counts.update(receipt.counts)
    elif receipt.outcome == "repeated":
        report.already += 1
    else:
        report.refuse(place, receipt.why)


def _me() -> str:
    user = os.environ.get("USER") or str(os.getuid())
    return f"{user}@{socket.gethostname()}"
