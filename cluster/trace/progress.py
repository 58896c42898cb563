"""How far each pipeline is with one partition of its input, and what is known of its sensors."""

from collections.abc import Mapping
from typing import NamedTuple

from pipelines.changelog import Saved, read_changelog
from pipelines.settings import KafkaSettings
from pipelines.sinks.sink_offsets import Place, read_group_marks
from pipelines.topics import ARCHIVE, INPUT_OF, SESSION_WRITER, SINKS

SENSOR_PROCESSING = "sensor-processing"
ML_INFERENCE = "ml-inference"
SESSION_AGGREGATION = "session-aggregation"


class Progress(NamedTuple):
    """The first offset of each place that a pipeline has not committed; absent: it never did."""

    partition: int
    next_offset: Mapping[tuple[str, Place], int]
    saved: Saved
    """Of sensor_processing, with its sensors."""

    def has_done(self, pipeline: str, place: Place, offset: int) -> bool:
        """Whether a pipeline has committed what it made of a record."""
        return self.next_offset.get((pipeline, place), 0) > offset

    def behind(self, pipeline: str, place: Place, end: int) -> int:
        """Return how many offsets a pipeline is behind the end of a place."""
        return max(0, end - self.next_offset.get((pipeline, place), 0))


def read_progress(settings: KafkaSettings, partition: int) -> Progress:
    """Ask Kafka how far all pipelines are with a partition.

    Raises:
        UnavailableError: the brokers did not answer.
        DataError: what a pipeline wrote cannot be read.
    """
    found: dict[tuple[str, Place], int] = {}
    all_saved: dict[str, Saved] = {}
    for pipeline, topic in INPUT_OF.items():
        saved = read_changelog(settings, f"{pipeline}-changelog", [partition])[partition]
        all_saved[pipeline] = saved
        if saved.ledger is not None:
            found[pipeline, Place(topic, partition)] = saved.ledger.next_offset
    for sink in (SESSION_WRITER, ARCHIVE):
        places = [Place(topic, partition) for topic in SINKS[sink]]
        for place, mark in read_group_marks(settings, sink, places).items():
            found[sink, place] = mark.next_offset
    return Progress(partition, found, all_saved[SENSOR_PROCESSING])
