"""Which dead letters were redriven, and when, by the receipts in dead-letters."""

from collections.abc import Iterator
from typing import NamedTuple

from confluent_kafka import Message
from msgspec import DecodeError

from pipelines.redrive.letter import REDRIVE_OF
from pipelines.redrive.receipt import is_receipt, read_receipt
from pipelines.verify.streams import record_headers


class Redriven(NamedTuple):
    """A letter that was stepped again, before offset ``at_offset`` of the input."""

    letter: int
    at_offset: int


class Redrives:
    """The redrives of one partition that its ledger knows of.

    taken:     in the order they were stepped; a letter more than once where it was doubled
    refused:   how many requests were refused, ``repeated`` how many asked for a letter again
    malformed: offsets of receipts that cannot be read
    """

    def __init__(self) -> None:
        self.taken: list[Redriven] = []
        self.repeated = 0
        self.refused = 0
        self.malformed: list[int] = []
        self._later: set[int] = set()

    @classmethod
    def read(
        cls, batches: Iterator[list[Message]], pipeline: str, redrive_offset: int
    ) -> "Redrives":
        """Read the receipts; those of requests from ``redrive_offset`` on came after the ledger."""
        found = cls()
        for batch in batches:
            for message in batch:
                headers = record_headers(message)
                if is_receipt(headers) and headers.get("pipeline") == pipeline.encode():
                    found._take(message, redrive_offset)
        return found

    @property
    def letters(self) -> set[int]:
        """The offsets of the letters that were stepped again."""
        return {redriven.letter for redriven in self.taken}

    def later(self, letter: int) -> bool:
        """Whether this letter was redriven after the ledger that the check goes by."""
        return letter in self._later

    def _take(self, message: Message, redrive_offset: int) -> None:
        try:
            receipt = read_receipt(message.value() or b"")
        except DecodeError:
            self.malformed.append(message.offset() or 0)
            return
        if receipt.request >= redrive_offset:
            if receipt.outcome == "redriven":
                self._later.add(receipt.letter)
        elif receipt.outcome == "redriven":
            self.taken.append(Redriven(receipt.letter, receipt.at_offset))
        elif receipt.outcome == "repeated":
            self.repeated += 1
        else:
            self.refused += 1


def redrive_of(headers: dict[str, bytes]) -> int | None:
    """Return the letter whose redrive made a record; None for what the input itself made."""
    value = headers.get(REDRIVE_OF)
    return int(value) if value is not None and value.isdigit() else None
