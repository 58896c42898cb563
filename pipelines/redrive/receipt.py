"""The record in dead-letters by which a slot says what it did with a request to redrive."""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from pipelines import topics
from pipelines.records import Output

Outcome = Literal["redriven", "repeated", "refused"]
"""redriven: its bytes were stepped; repeated: they had been before; refused: see ``why``."""

_REASONS: Final[Mapping[Outcome, bytes]] = {
    "redriven": b"redriven",
    "repeated": b"redrive_repeated",
    "refused": b"redrive_refused",
}
_TYPE: Final = topics.REDRIVE_RECEIPT_TYPE.encode()


class Receipt(msgspec.Struct, frozen=True, omit_defaults=True):
    """An answer; offsets are of dead-letters unless named otherwise.

    letter:    the letter; -1 where the request names none
    request:   the request
    at_offset: the offset of the pipeline's input before which the letter was stepped
    counts:    what became of it, by the names of the ledger's counts: those that went up
    """

    letter: int
    request: int
    at_offset: int
    outcome: Outcome
    why: str = ""
    counts: dict[str, int] = {}


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Receipt)


def receipt_record(
    receipt: Receipt, key: bytes | None, pipeline: str, partition: int, code_version: str
) -> Output:
    """Return the record; for whoever knows only letters it looks like one, of the letter."""
    headers = [
        ("reason", _REASONS[receipt.outcome]),
        ("detail", receipt.why.encode()),
        ("pipeline", pipeline.encode()),
        ("source", f"{topics.DEAD_LETTERS}/{partition}/{receipt.letter}".encode()),
        ("code-version", code_version.encode()),
        (topics.CONTENT_TYPE, _TYPE),
    ]
    return Output(topics.DEAD_LETTERS, key, _ENCODER.encode(receipt), headers)


def is_receipt(headers: Mapping[str, bytes]) -> bool:
    """Whether a record of dead-letters is a receipt."""
    return headers.get(topics.CONTENT_TYPE) == _TYPE


def read_receipt(value: bytes) -> Receipt:
    """Read a receipt; raises :class:`msgspec.DecodeError` naming the wrong field."""
    return _DECODER.decode(value)
