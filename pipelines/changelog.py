"""What a pipeline's changelog says of its partitions when a slot starts."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from pipelines.compacted import read_last_values
from pipelines.errors import DataError
from pipelines.ledger import (
    LEDGER_KEY,
    SNAPSHOT_KEY,
    Ledger,
    Snapshot,
    decode_ledger,
    decode_snapshot,
)
from pipelines.redrive.redriven_letters import KEY_PREFIX as REDRIVEN
from pipelines.settings import KafkaSettings


@dataclass(frozen=True)
class Saved:
    """The last committed records of one changelog partition.

    ledger:   None when the pipeline never committed this partition
    snapshot: None until the first snapshot; the state before ``ledger.snapshot_offset`` is empty
    records:  the operator's own state records as of the snapshot
    redriven: the records of which dead letters were redriven
    """

    ledger: Ledger | None
    snapshot: Snapshot | None
    records: dict[bytes, bytes]
    redriven: dict[bytes, bytes] = field(default_factory=dict)


def read_changelog(
    settings: KafkaSettings, topic: str, partitions: Sequence[int]
) -> dict[int, Saved]:
    """Read the given partitions of a changelog to their end.

    Raises:
        UnavailableError: the brokers did not answer.
        DataError: a ledger or snapshot is not in the form of this version.
    """
    values = read_last_values(settings, topic, partitions)
    return {partition: saved_of(topic, partition, values[partition]) for partition in partitions}


def saved_of(topic: str, partition: int, records: dict[bytes, bytes]) -> Saved:
    """Sort the last values of a changelog partition; raises DataError as :func:`read_changelog`."""
    ledger, snapshot = records.pop(LEDGER_KEY, None), records.pop(SNAPSHOT_KEY, None)
    try:
        return Saved(
            ledger=None if ledger is None else decode_ledger(ledger),
            snapshot=None if snapshot is None else decode_snapshot(snapshot),
            records={k: v for k, v in records.items() if not k.startswith(REDRIVEN)},
            redriven={k: v for k, v in records.items() if k.startswith(REDRIVEN)},
        )
    except msgspec.DecodeError as error:
        raise DataError(
            f"{topic}/{partition} holds a record of another form ({error}): it was written by "
            "another version of imustream; run that one, or delete the topic to begin anew"
        ) from None
