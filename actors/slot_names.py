"""What a slot's actor is called, and which actors a control record asks for. Pure."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from pipelines.control import Control

_NAME = re.compile(r"(?P<pipeline>.+)-g(?P<generation>\d+)-(?P<slot>\d+)-(?P<version>[0-9a-f]+)")


class SlotName(NamedTuple):
    """The actor of a slot of a generation, for one version of code and settings."""

    pipeline: str
    generation: int
    slot: int
    version: str

    def __str__(self) -> str:
        """Return the name the actor has in Ray."""
        return f"{self.pipeline}-g{self.generation}-{self.slot}-{self.version}"


def parse(name: str) -> SlotName | None:
    """Read an actor's name; None where it is no slot's."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    return SlotName(
        match["pipeline"], int(match["generation"]), int(match["slot"]), match["version"]
    )


class Plan(NamedTuple):
    """The actors to stop first, and those to start then."""

    stop: list[SlotName]
    start: list[SlotName]


def plan(record: Control, version: str, present: Iterable[SlotName]) -> Plan:
    """Return what makes the actors ``present`` into those that ``record`` asks for."""
    running = 0 if record.paused else record.running_slots
    wanted = {
        SlotName(record.pipeline, record.generation, slot, version) for slot in range(running)
    }
    ours = {name for name in present if name.pipeline == record.pipeline}
    return Plan(sorted(ours - wanted), sorted(wanted - ours))


def needs_new_generation(record: Control) -> bool:
    """Whether the number of slots wanted is not the one that runs."""
    return record.slots != record.running_slots


def next_generation(record: Control) -> Control:
    """Return the record of the generation that runs the number of slots wanted."""
    return Control(
        pipeline=record.pipeline,
        slots=record.slots,
        generation=record.generation + 1,
        paused=record.paused,
        running_slots=record.slots,
        previous_slots=record.running_slots,
        model_channel=record.model_channel,
    )
