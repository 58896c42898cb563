"""All that a trace looks into: Kafka, the archive, how far the pipelines are, the settings."""

from typing import Final, NamedTuple

from cluster.trace.archive_search import ArchiveSearch
from cluster.trace.kafka_search import KafkaSearch, When
from cluster.trace.progress import Progress
from cluster.trace.sensor_line import SensorLine
from cluster.trace.wanted import Sighting, Wanted
from cluster.trace.where import Where
from pipelines.settings import Settings

US: Final = 1_000_000
LONGEST_SESSION_S: Final = 86_400
"""The archive has a session in the hour it began: so far back it is looked for there."""


class Sources(NamedTuple):
    """What a trace looks into.

    disorder_s: how much later than its successors a sample may have come and still be found
    """

    settings: Settings
    kafka: KafkaSearch
    archive: ArchiveSearch
    progress: Progress
    line: SensorLine | None
    where: Where
    disorder_s: float

    @property
    def partition(self) -> int:
        """The sensor's partition, of every topic."""
        return self.progress.partition

    @property
    def rate_hz(self) -> float:
        """Samples a second."""
        return self.settings.processing.sample_rate_hz

    @property
    def disorder_samples(self) -> int:
        """``disorder_s`` in samples."""
        return round(self.disorder_s * self.rate_hz)

    @property
    def session_us(self) -> int:
        """How long before a sample the session may have begun that has it, as far as is looked."""
        return LONGEST_SESSION_S * US

    def find(self, wanted: Wanted, when: When, event_us: tuple[int, int] | None) -> Sighting | None:
        """Return a row from wherever it may be looked for; ``event_us``: between which times.

        Raises:
            UnavailableError: Kafka or the archive's store does not answer.
        """
        found = None
        if self.where is not Where.ARCHIVE:
            found = self.kafka.find(wanted, when)
        if found is None and self.where is not Where.KAFKA:
            found = self.archive.find(wanted, event_us)
        return found
