"""Find a sample among the transformed ones: of which boot it is, and what record brought it."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from cluster.trace.kafka_search import When
from cluster.trace.sensor_line import SensorLine
from cluster.trace.sources import US, Sources
from cluster.trace.wanted import Sighting, sample_rows
from pipelines import topics
from pipelines.sinks.sink_offsets import Place

BOOTS_TRIED: Final = 16
"""Boots that are tried where none is named, the newest first."""

_NEAR_S: Final = 3.0
"""How much is read where a sample should be by its sensor's line, before it is sought by halving"""


class Located(NamedTuple):
    """A transformed sample and the record it stands in; times in microseconds since the epoch."""

    sensor_id: str
    partition: int
    boot: int
    sample: int
    timestamp_us: int
    late: bool
    raw_offset: int
    sighting: Sighting

    @property
    def place(self) -> Place:
        """The partition it is in, of sensor-data-transformed."""
        return Place(topics.TRANSFORMED, self.partition)

    @property
    def trace_id(self) -> str:
        """The raw record that brought it."""
        return f"{topics.RAW}/{self.partition}/{self.raw_offset}"


def located(partition: int, sighting: Sighting) -> Located:
    """Return a sighting among transformed samples as what it is."""
    row = sighting.row
    return Located(
        row["sensor_id"],
        partition,
        row["boot"],
        row["sample_index"],
        row["timestamp_us"],
        row["late"],
        row["raw_offset"],
        sighting,
    )


def locate(sources: Sources, sensor_id: str, sample: int, boot: int | None) -> Located | None:
    """Return the sample of the newest boot that has it, or of the one that is named.

    Raises:
        UnavailableError: Kafka or the archive's store does not answer.
    """
    for tried in boots_to_try(sources.line, sample, boot):
        found = _of_boot(sources, sensor_id, sample, tried)
        if found is not None:
            return located(sources.partition, found)
    return None


def boots_to_try(line: SensorLine | None, sample: int, boot: int | None) -> Sequence[int]:
    """Return boots in which a sample of that number may be, the newest first. Pure."""
    if boot is not None:
        return [boot]
    if line is None or not line.boots:
        # What is known of a sensor is forgotten with its boots: they begin at 0 again.
        return [0]
    newest = line.boots[0].boot
    tried = []
    for number in range(newest, max(-1, newest - BOOTS_TRIED), -1):
        known = line.of_boot(number)
        if known is None or known.has(sample) is not False:
            tried.append(number)
    return tried


def expected_us(sources: Sources, sample: int, boot: int) -> int | None:
    """Return when the device should have taken a sample, by its own clock. Pure."""
    known = None if sources.line is None else sources.line.of_boot(boot)
    return None if known is None else known.expected_us(sample, sources.rate_hz)


def _of_boot(sources: Sources, sensor_id: str, sample: int, boot: int) -> Sighting | None:
    wanted = sample_rows(topics.TRANSFORMED, sensor_id, boot, sample, sources.disorder_samples)
    at_us = expected_us(sources, sample, boot)
    if at_us is None or sources.line is None:
        return sources.find(wanted, When(None, 0, sure=False), None)
    lateness_us = round(sources.settings.processing.lateness_s * US)
    guess = When(at_us - sources.line.clock_ahead_us, round(_NEAR_S * US), sure=False)
    return sources.find(wanted, guess, (at_us - lateness_us, at_us + lateness_us))
