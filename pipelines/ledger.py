"""The records a runtime keeps beside an operator's state: `ledger` and `snapshot`."""

import msgspec

LEDGER_KEY = b"ledger"
SNAPSHOT_KEY = b"snapshot"


class Ledger(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a pipeline did with one input partition, as of ``next_offset``.

    Its form is ``schemas/ledger.schema.json``; times are microseconds since the epoch.
    """

    pipeline: str
    partition: int
    generation: int
    slot: int
    next_offset: int
    snapshot_offset: int
    committed_us: int
    code_version: str
    counts: dict[str, int]
    redrive_offset: int = 0


class Snapshot(msgspec.Struct, frozen=True):
    """Written in one transaction with the state records: they hold the state before ``offset``.

    ``counts`` are the operator's counts at that same point; ``rules`` and ``replay_settings`` are
    the settings it ran under, as :class:`pipelines.operators.operator.Operator` names them.
    """

    offset: int
    counts: dict[str, int]
    rules: str = ""
    replay_settings: str = ""


_ENCODER = msgspec.json.Encoder()
_LEDGER_DECODER = msgspec.json.Decoder(Ledger)
_SNAPSHOT_DECODER = msgspec.json.Decoder(Snapshot)


def encode(record: Ledger | Snapshot) -> bytes:
    """Return the record's value as it stands in the changelog."""
    return _ENCODER.encode(record)


def decode_ledger(value: bytes) -> Ledger:
    """Read a ledger record; raises :class:`msgspec.DecodeError` naming the wrong field."""
    return _LEDGER_DECODER.decode(value)


def decode_snapshot(value: bytes) -> Snapshot:
    """Read a snapshot record; raises :class:`msgspec.DecodeError` naming the wrong field."""
    return _SNAPSHOT_DECODER.decode(value)
