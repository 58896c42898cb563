"""How far the pipelines are, from their ledgers, and waiting until they are done."""

import time
from collections.abc import Sequence
from typing import Final

from confluent_kafka import Consumer, TopicPartition

from pipelines import pipeline_lag, topics
from pipelines.changelog import read_changelog
from pipelines.control import read_control
from pipelines.errors import UnavailableError
from pipelines.kafka_clients import consumer_options, new_consumer, watermarks
from pipelines.ledger import LEDGER_KEY, Ledger, decode_ledger
from pipelines.settings import Settings
from pipelines.sinks.sink_offsets import Place

DRAIN_TIMEOUT_S: Final = 300.0
_POLL_S: Final = 0.2
_PARTITIONS: Final = range(topics.PARTITIONS)


def end_offsets(settings: Settings, topic: str = topics.RAW) -> dict[int, int]:
    """Return where each partition of a topic ends now."""
    places = [Place(topic, partition) for partition in _PARTITIONS]
    ends = pipeline_lag.end_offsets(settings.kafka, places)
    return {place.partition: end for place, end in ends.items()}


class LedgerFollower:
    """Follows the ledgers of all partitions of a pipeline. Close it."""

    def __init__(self, settings: Settings, pipeline: str = "sensor-processing") -> None:
        self._ledgers: dict[int, Ledger] = {}
        topic = f"{pipeline}-changelog"
        saved = read_changelog(settings.kafka, topic, list(_PARTITIONS))
        for partition, found in saved.items():
            if found.ledger is not None:
                self._ledgers[partition] = found.ledger
        self._consumer: Consumer = new_consumer(
            consumer_options(settings.kafka, "imustream.bench.ledger")
        )
        self._consumer.assign(
            [TopicPartition(topic, p, watermarks(self._consumer, topic, p)[1]) for p in _PARTITIONS]
        )

    def poll(self, timeout_s: float) -> bool:
        """Take in what was committed; say whether a ledger was among it."""
        found = False
        for message in self._consumer.consume(1_000, timeout_s):
            value = message.value()
            if message.error() is None and message.key() == LEDGER_KEY and value is not None:
                ledger = decode_ledger(value)
                self._ledgers[ledger.partition] = ledger
                found = True
        return found

    def next_offset(self, partition: int) -> int:
        """Return the first offset of a partition that is not processed."""
        ledger = self._ledgers.get(partition)
        return 0 if ledger is None else ledger.next_offset

    def samples(self) -> int:
        """Return all samples ever counted."""
        return sum(ledger.counts["samples"] for ledger in self._ledgers.values())

    def offsets(self) -> int:
        """Return the sum of all partitions' first offsets that are not processed."""
        return sum(ledger.next_offset for ledger in self._ledgers.values())

    def close(self) -> None:
        """Drop the consumer."""
        self._consumer.close()


IN_ORDER: Final = ("sensor-processing", "ml-inference", "session-aggregation", "session-writer")
"""The pipelines from the sensors to MongoDB, each after those whose output it reads."""


def wait_until_drained(settings: Settings, pipelines: Sequence[str] = IN_ORDER) -> None:
    """Wait until all that the pipelines' inputs hold, once those before are done, is processed.

    Raises:
        UnavailableError: it is not, after `DRAIN_TIMEOUT_S`.
    """
    running = read_control(settings.kafka).pipelines
    for pipeline in pipelines:
        if pipeline in running and not running[pipeline].paused:
            _wait_for(settings, pipeline)


def wait_until_archived(settings: Settings) -> None:
    """Wait until the archive holds what its topics hold now; at once where none runs.

    Where it waits long to write (`archive.max_staleness_s`), so does this.

    Raises:
        UnavailableError: it does not, after `DRAIN_TIMEOUT_S`.
    """
    wait_until_drained(settings, (topics.ARCHIVE,))


def _wait_for(settings: Settings, pipeline: str) -> None:
    ends = pipeline_lag.end_offsets(settings.kafka, pipeline_lag.inputs_of(pipeline))
    deadline = time.monotonic() + DRAIN_TIMEOUT_S
    while behind := pipeline_lag.behind(settings.kafka, pipeline, ends):
        if time.monotonic() > deadline:
            raise UnavailableError(
                f"{pipeline} has not processed {', '.join(f'{t}/{p}' for t, p in behind)} after "
                f"{DRAIN_TIMEOUT_S:g} s; see `imustream status`"
            )
        time.sleep(_POLL_S)
