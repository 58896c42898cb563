"""How much a cluster carries, from what a load was measured to cost. Pure arithmetic, no I/O.

What it assumes stands in its names: that a part's CPU grows in line with the rate, that cores are
as fast as those measured, and that a node is not planned fuller than :data:`PLANNED_USE`.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from pipelines.topics import PARTITIONS

PLANNED_USE: Final = 0.6
"""Share of a core that is planned for; the rest is for bursts, restarts and catching up."""

REPLICAS: Final = 3
"""Copies of each record on a cluster."""

SINGLE: Final = ("bridge", "mosquitto")
"""Parts that run once, on one core: the bridge by contract, Mosquitto has one thread."""

SLOTTED: Final = ("slots", "ml-inference", "session-aggregation", "session-writer", "archive")
"""Parts of which there are at most as many as partitions, each on one core."""

NOT_OURS: Final = ("simulator", "other")
"""Parts of the measuring machine that a cluster has not."""


class Limit(NamedTuple):
    """The rate at which a part has no more room, however many nodes there are."""

    part: str
    samples_per_s: float


class Fit(NamedTuple):
    """What a number of nodes carries; ``limited_by`` is a part, or ``cores`` of the nodes."""

    nodes: int
    samples_per_s: float
    limited_by: str
    cores_used: float


def limits(cores: Mapping[str, float], per_samples_per_s: float) -> list[Limit]:
    """Return the limits of all parts that cannot be spread without end, the lowest first.

    Args:
        cores: what each part takes for ``per_samples_per_s``.
        per_samples_per_s: the rate that ``cores`` is for.
    """
    room = dict.fromkeys(SINGLE, PLANNED_USE)
    room |= dict.fromkeys(SLOTTED, PLANNED_USE * PARTITIONS)
    found = [
        Limit(part, room[part] / cores[part] * per_samples_per_s)
        for part in room
        if cores.get(part, 0.0) > 0
    ]
    return sorted(found, key=lambda limit: limit.samples_per_s)


def cores_needed(cores: Mapping[str, float], kafka_replicas: int) -> dict[str, float]:
    """Return the cores of a cluster for the rate measured: Kafka holds each record thrice there.

    A replica is counted like the first copy, which is more than it costs: it is fetched and written
    as it lies, without the checks of a producer's request.
    """
    ours = {part: value for part, value in cores.items() if part not in NOT_OURS}
    ours["kafka"] = ours.get("kafka", 0.0) * REPLICAS / kafka_replicas
    return ours


def fit(
    cores: Mapping[str, float],
    per_samples_per_s: float,
    kafka_replicas: int,
    nodes: int,
    node_cores: int,
) -> Fit:
    """Return what ``nodes`` of ``node_cores`` carry, and what stops them there."""
    needed = sum(cores_needed(cores, kafka_replicas).values())
    by_cores = nodes * node_cores * PLANNED_USE / needed * per_samples_per_s
    part = limits(cores, per_samples_per_s)[0]
    rate = min(by_cores, part.samples_per_s)
    limited_by = "cores" if by_cores <= part.samples_per_s else part.part
    return Fit(nodes, rate, limited_by, rate / per_samples_per_s * needed)
