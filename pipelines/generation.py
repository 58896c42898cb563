"""See from Kafka alone whether the wanted generation of a pipeline runs."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pipelines.changelog import read_changelog
from pipelines.control import read_control
from pipelines.errors import PipelineStoppedError, UnavailableError
from pipelines.ledger import Ledger
from pipelines.settings import Settings
from pipelines.sinks.sink_offsets import Mark, Place, read_group_marks
from pipelines.topics import PARTITIONS, SINKS

_POLL_S = 0.25


class GenerationProgress(NamedTuple):
    """How many partitions the slots of the wanted generation own by now."""

    generation: int
    slots: int
    partitions: int


def wait_for_generation(
    settings: Settings,
    pipeline: str,
    timeout_s: float,
    on_progress: Callable[[GenerationProgress], None],
    code_version: str | None = None,
) -> GenerationProgress:
    """Wait until the slots that pipeline-control asks for have committed on every partition.

    A paused pipeline is not waited for. With ``code_version`` the slots must be of that code.

    Raises:
        PipelineStoppedError: a slot raised an alarm.
        UnavailableError: it took longer than ``timeout_s``; the message says how far it came.
    """
    deadline = time.monotonic() + timeout_s
    seen: GenerationProgress | None = None
    while True:
        progress, settled = _look(settings, pipeline, code_version)
        if progress != seen and progress is not None:
            on_progress(progress)
            seen = progress
        if settled and progress is not None:
            return progress
        if time.monotonic() > deadline:
            raise UnavailableError(_too_long(pipeline, seen, timeout_s))
        time.sleep(_POLL_S)


def _look(
    settings: Settings, pipeline: str, code_version: str | None
) -> tuple[GenerationProgress | None, bool]:
    control = read_control(settings.kafka)
    record = control.pipelines.get(pipeline)
    if record is None or record.generation == 0:
        return None, False
    owners = _owners(settings, pipeline)
    # A sink owns a partition number once it has committed it in every topic that it reads.
    owned = sum(
        bool(of_partition)
        and all(
            owner.generation == record.generation and code_version in (None, owner.code_version)
            for owner in of_partition
        )
        for of_partition in owners
    )
    progress = GenerationProgress(record.generation, record.running_slots, owned)
    as_wanted = record.slots == record.running_slots
    settled = as_wanted and (record.paused or owned == PARTITIONS)
    alarms = [
        alarm
        for (name, _), alarm in control.alarms.items()
        if name == pipeline and alarm.generation == record.generation
    ]
    # Slots that own every partition run: what they wait for, as a model that is still being
    # deployed, is shown by the alarm and ends by itself.
    if alarms and not settled:
        raise PipelineStoppedError(f"{pipeline} slot {alarms[0].slot}: {alarms[0].message}")
    return progress, settled


def _owners(settings: Settings, pipeline: str) -> Sequence[Sequence[Ledger | Mark]]:
    """Return for each partition number who committed last, in each topic a sink reads."""
    if pipeline not in SINKS:
        saved = read_changelog(settings.kafka, f"{pipeline}-changelog", range(PARTITIONS))
        return [[entry.ledger] if entry.ledger else [] for entry in saved.values()]
    inputs = SINKS[pipeline]
    places = [Place(topic, partition) for topic in inputs for partition in range(PARTITIONS)]
    marks = read_group_marks(settings.kafka, pipeline, places)
    found = [
        [marks[place] for place in places if place.partition == partition and place in marks]
        for partition in range(PARTITIONS)
    ]
    return [of_partition if len(of_partition) == len(inputs) else [] for of_partition in found]


def _too_long(pipeline: str, seen: GenerationProgress | None, timeout_s: float) -> str:
    if seen is None:
        return (
            f"{pipeline} was not started within {timeout_s:.0f} s: no supervisor has written its "
            "record; start the pipelines with `imustream up` or `python -m actors`"
        )
    return (
        f"generation {seen.generation} of {pipeline} owns {seen.partitions} of {PARTITIONS} "
        f"partitions after {timeout_s:.0f} s: see that the supervisor and the slots run in Ray"
    )
