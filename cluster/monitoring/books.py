"""What Kafka itself says of the pipelines: ledgers, marks, control records, ends of topics.

These counts are committed together with what they count, so that they count exactly once, whatever
dies, and go on where nobody of ours runs.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from cluster.monitoring.families import counter, gauge
from cluster.monitoring.monitored_sensors import Monitored, MonitoredSensors
from pipelines import metrics, topics
from pipelines.errors import DataError, UnavailableError
from pipelines.sinks.sink_offsets import Place
from serve.flow import balance
from serve.observation import PIPELINES, Observation
from serve.pipelines_report import PipelineReport, Progress
from serve.sensor_directory import Summary

log = logging.getLogger(__name__)

_US_PER_S: Final = 1e6
_PROCESSING: Final = "sensor-processing"
_INFERENCE: Final = "ml-inference"
_FATES_OF_FRAMES: Final = {
    "transformed": "transformed",
    "duplicates": "duplicate",
    "heartbeats": "heartbeat",
    "dead_letters": "dead_letter",
}
_FATES_OF_SAMPLES: Final = ("predicted", "skipped", "not_a_number")


class Books(Collector):
    """Collects what an :class:`serve.observation.Observation` has read."""

    def __init__(self, observation: Observation, monitored: MonitoredSensors) -> None:
        self._observation = observation
        self._monitored = monitored

    def collect(self) -> Iterator[Metric]:
        """Yield all that can be read; what cannot is absent, and named in `imustream_books_up`."""
        up = gauge(metrics.BOOKS_UP)
        observation = self._observation
        try:
            reports = observation.pipelines()
            progress = {name: observation.progress(name) for name in PIPELINES}
            yield from pipeline_families(reports)
            yield from ledger_families(progress)
            yield ends_family(observation.end_offsets())
            known = observation.sensors()
            up.add_metric(["kafka"], 1)
        except (UnavailableError, DataError) as error:
            log.warning("Kafka's books cannot be read: %s", error)
            known = None
            up.add_metric(["kafka"], 0)
        monitored = self._monitored.look()
        up.add_metric(["mongodb"], int(monitored.fresh))
        if known is not None:
            yield from sensor_families(known, monitored)
        yield up


def pipeline_families(reports: Iterable[PipelineReport]) -> Iterator[Metric]:
    """Yield lag, commits, slots and alarms."""
    lag, commit = gauge(metrics.LAG_RECORDS), gauge(metrics.LAST_COMMIT_SECONDS)
    slots, paused, alarms = gauge(metrics.SLOTS), gauge(metrics.PAUSED), gauge(metrics.ALARMS)
    unbalanced = gauge(metrics.UNBALANCED)
    for report in reports:
        name = report.name
        for each in report.partitions:
            place = each.topic, str(each.partition)
            if each.lag is not None:
                lag.add_metric([name, *place], each.lag)
            seconds = each.last_commit_us / _US_PER_S
            commit.add_metric([name, str(each.slot), *place], seconds)
        slots.add_metric([name, "desired"], report.slots)
        slots.add_metric([name, "running"], report.running_slots)
        paused.add_metric([name], int(report.paused))
        alarms.add_metric([name], int(report.alarm is not None))
        lost, doubled = balance(name, report.counts)
        if lost is not None and doubled is not None:
            unbalanced.add_metric([name, "lost"], lost)
            unbalanced.add_metric([name, "doubled"], doubled)
    yield from (lag, commit, slots, paused, alarms, unbalanced)


def ledger_families(progress: Mapping[str, Sequence[Progress]]) -> Iterator[Metric]:
    """Yield what ledgers and marks have counted."""
    yield from _records(progress)
    yield from _frames(progress.get(_PROCESSING, ()))
    predicted = counter(metrics.PREDICTED_SAMPLES)
    for each in progress.get(_INFERENCE, ()):
        for fate in _FATES_OF_SAMPLES:
            predicted.add_metric([str(each.place.partition), fate], each.counts.get(fate, 0))
    yield predicted
    rows: Counter[str] = Counter()
    content: Counter[str] = Counter()
    for each in progress.get(topics.ARCHIVE, ()):
        rows[each.place.topic] += each.counts.get("rows", 0)
        content[each.place.topic] += each.counts.get("bytes", 0)
    yield _by_topic(counter(metrics.ARCHIVED_ROWS), rows)
    yield _by_topic(counter(metrics.ARCHIVED_BYTES), content)


def _records(progress: Mapping[str, Sequence[Progress]]) -> Iterator[Metric]:
    records, samples = counter(metrics.RECORDS), counter(metrics.SAMPLES)
    for name, places in progress.items():
        # The archive has as many partitions of the same number as it has topics.
        for counts, family in (("records", records), ("samples", samples)):
            summed: Counter[int] = Counter()
            for each in places:
                if counts in each.counts:
                    summed[each.place.partition] += each.counts[counts]
            for partition, count in sorted(summed.items()):
                family.add_metric([name, str(partition)], count)
    yield from (records, samples)


def _frames(places: Iterable[Progress]) -> Iterator[Metric]:
    frames = counter(metrics.FRAMES)
    of_count = {
        "samples_duplicate": counter(metrics.DUPLICATE_SAMPLES),
        "gaps": counter(metrics.GAP_SAMPLES),
        "gaps_filled": counter(metrics.GAP_SAMPLES_FILLED),
        "samples_late": counter(metrics.LATE_SAMPLES),
    }
    for each in places:
        partition = str(each.place.partition)
        for name, fate in _FATES_OF_FRAMES.items():
            frames.add_metric([partition, fate], each.counts.get(name, 0))
        for name, family in of_count.items():
            family.add_metric([partition], each.counts.get(name, 0))
    yield frames
    yield from of_count.values()


def ends_family(ends: Mapping[Place, int]) -> Metric:
    """Return how far each topic reaches."""
    summed: Counter[str] = Counter()
    for place, end in ends.items():
        summed[place.topic] += end
    family = gauge(metrics.TOPIC_RECORDS)
    for topic, end in sorted(summed.items()):
        family.add_metric([topic], end)
    return family


def sensor_families(known: Iterable[Summary], monitored: Monitored) -> Iterator[Metric]:
    """Yield how many sensors there are, and when those that are watched were seen."""
    states: Counter[str] = Counter({"live": 0, "silent": 0})
    seen_us = dict.fromkeys(monitored.sensor_ids, 0)
    for summary in known:
        states[summary["state"]] += 1
        if summary["sensor_id"] in seen_us:
            seen_us[summary["sensor_id"]] = summary["last_received_us"]
    sensors, seen = gauge(metrics.SENSORS), gauge(metrics.SENSOR_LAST_SEEN_SECONDS)
    for state, count in states.items():
        sensors.add_metric([state], count)
    for sensor_id, last_us in seen_us.items():
        seen.add_metric([sensor_id], last_us / _US_PER_S)
    left_out = gauge(metrics.MONITORED_LEFT_OUT)
    left_out.add_metric([], monitored.left_out)
    yield from (sensors, seen, left_out)


def _by_topic(family: CounterMetricFamily, counts: Mapping[str, int]) -> Metric:
    for topic, count in sorted(counts.items()):
        family.add_metric([topic], count)
    return family
