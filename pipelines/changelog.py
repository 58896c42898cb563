"""What a pipeline's changelog says of its partitions when a slot starts."""

from collections.abc import Sequence
from dataclasses import dataclass

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
from pipelines.settings import KafkaSettings


@dataclass(frozen=True)
class Saved:
    """The last committed records of one changelog partition.

    ledger:   None when the pipeline never committed this partition
    snapshot: None until the first snapshot; the state before ``ledger.snapshot_offset`` is empty
    records:  the operator's own state records as of the snapshot
    """

    ledger: Ledger | None
    snapshot: Snapshot | None
    records: dict[bytes, bytes]


def read_changelog(
    settings: KafkaSettings, topic: str, partitions: Sequence[int]
) -> dict[int, Saved]:
    """Read the given partitions of a changelog to their end.

    Raises:
        UnavailableError: the brokers did not answer.
        DataError: a ledger or snapshot is not in the form of this version.
    """
    values = read_last_values(settings, topic, partitions)
    return {partition: _saved(topic, partition, values[partition]) for partition in partitions}


def _saved(topic: str, partition: int, records: dict[bytes, bytes]) -> Saved:
    ledger, snapshot = records.pop(LEDGER_KEY, None), records.pop(SNAPSHOT_KEY, None)
    try:
        return Saved(
            ledger=None if ledger is None else decode_ledger(ledger),
            snapshot=None if snapshot is None else decode_snapshot(snapshot),
            records=records,
        )
    except msgspec.DecodeError as error:
        raise DataError(
            f"{topic}/{partition} holds a record of another form ({error}): it was written by "
            "another version of imustream; run that one, or delete the topic to begin anew"
        ) from None
