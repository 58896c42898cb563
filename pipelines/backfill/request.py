"""What a backfill was asked for, and the record of it in its target."""

from typing import Any, Final

import msgspec

from pipelines.backfill.plan import PartitionPlan
from pipelines.backfill.sensor_choice import SensorChoice
from pipelines.backfill.time_span import TimeSpan
from pipelines.errors import ConfigurationError, DataError
from pipelines.predictions import ModelId

PLAN_PATH: Final = "_backfill/plan.json"
"""Readers of Parquet folders leave out what begins with an underscore."""


class Request(msgspec.Struct, frozen=True):
    """All that the rows depend on. Two equal requests to one archive give the same files."""

    archive: str
    from_us: int | None
    to_us: int | None
    sensors: tuple[str, ...]
    pipelines: tuple[str, ...]
    model: ModelId | None
    code_version: str
    settings: dict[str, Any]

    @property
    def span(self) -> TimeSpan:
        """The span of event time asked for."""
        return TimeSpan(self.from_us, self.to_us)

    @property
    def choice(self) -> SensorChoice:
        """The sensors asked for."""
        return SensorChoice(self.sensors)


class Plan(msgspec.Struct, frozen=True):
    """A request, and what is replayed for it; written once, before anything else."""

    request: Request
    partitions: list[PartitionPlan]


def encode_plan(plan: Plan) -> bytes:
    """Return the plan's file."""
    return msgspec.json.format(msgspec.json.encode(plan), indent=1)


def decode_plan(content: bytes, url: str) -> Plan:
    """Read the plan's file.

    Raises:
        DataError: it is none.
    """
    try:
        return msgspec.json.decode(content, type=Plan)
    except msgspec.DecodeError as error:
        raise DataError(f"{url}/{PLAN_PATH} is no plan of a backfill ({error})") from None


def check_same(asked: Request, found: Request, url: str) -> None:
    """See that a target may be gone on with.

    Raises:
        ConfigurationError: it holds the rows of another request.
    """
    different = [
        f"{name} {getattr(found, name)!r}, not {getattr(asked, name)!r}"
        for name in Request.__struct_fields__
        if getattr(asked, name) != getattr(found, name)
    ]
    if different:
        raise ConfigurationError(
            f"{url} holds a backfill with {'; '.join(different)}: repeat those options and "
            f"settings with that code to go on with it, or choose another target"
        )


def manifest_path(partition: int) -> str:
    """Return where a partition's progress stands in the target."""
    return f"_backfill/{partition}.json"
