"""An operator for tests of the runtime: its outputs show every loss, repetition and disorder."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pipelines.errors import PipelineStoppedError
from pipelines.operators.operator import PartitionByPartition
from pipelines.owned_partition import SlotIdentity
from pipelines.records import InputBatch, Output
from pipelines.settings import Settings
from pipelines.slot import Slot
from pipelines.slot_run import NewRun

STOP_VALUE = b"stop the pipeline"
FAULT_VALUE = b"a fault in the code"


@dataclass
class Counts:
    """Records seen and, for each key, how many and the sum of their values."""

    records: int = 0
    of_key: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    changed: set[bytes] = field(default_factory=set)


class Counting(PartitionByPartition[Counts]):
    """For each record of a key: its offset, the key's count and the sum of its values so far."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.faults = True
        self.input_topic = f"{name}-input"
        self.output_topic = f"{name}-output"
        self.changelog_topic = f"{name}-changelog"

    def new_state(self, partition: int) -> Counts:
        return Counts()

    def restore(
        self, partition: int, records: Iterable[tuple[bytes, bytes]], counts: Mapping[str, int]
    ) -> Counts:
        of_key = {key[2:]: tuple(json.loads(value)) for key, value in records}
        return Counts(counts["records"], of_key)

    def step(self, state: Counts, batch: InputBatch) -> list[Output]:
        outputs = []
        for key, value, offset in zip(batch.keys, batch.values, batch.offsets, strict=True):
            if value == STOP_VALUE:
                raise PipelineStoppedError("a test asked the pipeline to stop")
            if value == FAULT_VALUE:
                if self.faults:
                    raise ZeroDivisionError("a test asked for a fault")
                continue
            state.records += 1
            if key is None:
                continue
            count, total = state.of_key.get(key, (0, 0))
            count, total = count + 1, total + int(value)
            state.of_key[key] = count, total
            state.changed.add(key)
            line = {"offset": int(offset), "count": count, "total": total}
            outputs.append(Output(self.output_topic, key, json.dumps(line).encode(), ()))
        return outputs

    def changes(self, state: Counts) -> list[tuple[bytes, bytes | None]]:
        changed, state.changed = state.changed, set()
        return [(b"s/" + key, json.dumps(state.of_key[key]).encode()) for key in sorted(changed)]

    def counts(self, state: Counts) -> dict[str, int]:
        return {"records": state.records}


def counting(name: str, settings: Settings, identity: SlotIdentity) -> NewRun:
    """Start runs of the operator's slots, as a supervisor asks for it."""
    operator = Counting(name)
    return lambda: Slot(operator, settings, identity)
