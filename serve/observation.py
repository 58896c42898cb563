"""What `api` knows of sensors and pipelines, asked of Kafka."""

import threading
import time
from collections.abc import Iterator, Mapping

import msgspec

from pipelines import topics
from pipelines.control import Alarm, Control, ControlState
from pipelines.errors import DataError, UnavailableError
from pipelines.ledger import decode_ledger
from pipelines.operators.sensor_state import KEY_PREFIX, summarize
from pipelines.partitioner import partition_of
from pipelines.pipeline_lag import inputs_of
from pipelines.redrive.redriven_letters import KEY_PREFIX as REDRIVEN
from pipelines.redrive.redriven_letters import RedrivenLetters
from pipelines.settings import Settings
from pipelines.sinks.sink_offsets import Mark, Place
from serve.end_offsets import EndOffsets
from serve.flow import FlowReport, RawWritten, flow_report
from serve.growth import Growth
from serve.kafka_view import KafkaView
from serve.pipelines_report import (
    COMMIT_OVERDUE_US,
    Observed,
    PipelineReport,
    Progress,
    pipeline_report,
)
from serve.sensor_directory import SensorDirectory, Summary
from serve.sink_view import RATES_OVER_S, SinkView

PIPELINES = (*topics.INPUT_OF, *topics.SINKS)
"""Every pipeline there is, those with a changelog first."""

_CHANGELOG_OF = {pipeline: f"{pipeline}-changelog" for pipeline in topics.INPUT_OF}
_US_PER_S = 1_000_000


class Observation:
    """Follows changelogs and control records; asks for the sinks' marks and for topics' ends."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        states = topics.SENSOR_PROCESSING_CHANGELOG
        others = [changelog for changelog in _CHANGELOG_OF.values() if changelog != states]
        self._view = KafkaView(settings.kafka, states, others)
        self._sinks = SinkView(settings.kafka)
        self._inputs = {pipeline: inputs_of(pipeline) for pipeline in PIPELINES}
        places = {place for inputs in self._inputs.values() for place in inputs}
        self._ends = EndOffsets(settings.kafka, sorted(places))
        self._directory = SensorDirectory(summarize)
        self._raw = Growth(RATES_OVER_S)
        self._growing = threading.Lock()
        self.start = self._view.thread.start
        self.stop = self._view.thread.stop
        self.check = self._view.thread.check

    def sensors(self) -> list[Summary]:
        """Return what is known of each sensor, in the order of their ids.

        Raises:
            UnavailableError: Kafka has not been read to its end yet.
        """
        return self._directory.sensors(self._view.state_records())

    def sensor(self, sensor_id: str) -> Summary | None:
        """Return what is known of one sensor; None where it is not known.

        Raises:
            UnavailableError: Kafka has not been read to its end yet, or the sensor's state is of
                another version of imustream.
        """
        key, partition = KEY_PREFIX + sensor_id.encode(), partition_of(sensor_id)
        value = self._view.state_record(partition, key)
        if value is None:
            return None
        try:
            return {**summarize(key, value), "partition": partition}
        except DataError as error:
            raise UnavailableError(str(error)) from None

    def archived_below(self, place: Place) -> int | None:
        """Return the offset below which all of a partition is archived; None where nothing is.

        It may ask the brokers: not for an event loop.

        Raises:
            UnavailableError: the brokers have never answered, or say what is none of ours.
        """
        try:
            _, now = self._sinks.marks()
        except DataError as error:
            raise UnavailableError(str(error)) from None
        mark = now.marks[topics.ARCHIVE].get(place)
        return None if mark is None else mark.next_offset

    def flow(self) -> FlowReport:
        """Return what flows from the devices to the archive; raises as :meth:`pipeline`."""
        reports = self.pipelines()
        try:
            _, archived, _ = self._progress(topics.ARCHIVE)
        except DataError:
            archived = []  # The pipeline's own report says so.
        return flow_report(reports, self._raw_written(), archived)

    def _raw_written(self) -> RawWritten:
        try:
            ends = self._ends.look()
        except UnavailableError:
            return RawWritten(None, None)
        records = sum(end for place, end in ends.items() if place.topic == topics.RAW)
        with self._growing:
            self._raw.take(time.monotonic(), records)
            return RawWritten(records, self._raw.per_s())

    def progress(self, name: str) -> list[Progress]:
        """Return how far a pipeline is with each partition. It may ask the brokers.

        Raises:
            UnavailableError: Kafka has not been read to its end yet.
            DataError: what it wrote is of another version of imustream.
        """
        return self._progress(name)[1]

    def end_offsets(self) -> Mapping[Place, int]:
        """Return where the input partitions end; it asks the brokers.

        Raises:
            UnavailableError: the brokers did not answer.
        """
        return self._ends.look()

    def redriven(self) -> dict[int, RedrivenLetters]:
        """Return which dead letters were redriven, by partition; raises as :meth:`sensors`."""
        return {
            partition: RedrivenLetters({k: v for k, v in kept.items() if k.startswith(REDRIVEN)})
            for partition, kept in self._view.state_records().items()
        }

    def pipelines(self) -> list[PipelineReport]:
        """Return what each pipeline does; raises as :meth:`pipeline`."""
        return [self.pipeline(name) for name in PIPELINES]

    def pipeline(self, name: str) -> PipelineReport:
        """Return what a pipeline does. It may ask the brokers: not for an event loop.

        Raises:
            UnavailableError: Kafka has not been read to its end yet.
        """
        control = self._view.control()
        alarms = [alarm for (pipeline, _), alarm in control.alarms.items() if pipeline == name]
        record = self._record(control, name)
        try:
            before, now, seconds = self._progress(name)
        except DataError as error:
            before, now, seconds = [], [], 0.0
            alarms.append(Alarm(name, 0, record.generation, str(error), 0))
        try:
            ends = self._ends.look()
        except UnavailableError:
            # All else is known without the brokers; the lag is not.
            ends = {}
        return pipeline_report(
            Observed(
                control=record,
                alarms=alarms,
                progress=now,
                before=before,
                seconds=seconds,
                end_offsets=ends,
                now_us=int(time.time() * _US_PER_S),
                overdue_us=self._overdue_us(name),
            )
        )

    def _record(self, control: ControlState, name: str) -> Control:
        """Return the pipeline's record; before the supervisor has written one, what it will be."""
        begun = control.pipelines.get(name)
        slots = self._settings.slot.slots
        return begun or Control(pipeline=name, slots=slots, generation=0, paused=False)

    def _progress(self, name: str) -> tuple[list[Progress], list[Progress], float]:
        """Return how far a pipeline was and is, and the seconds between."""
        if name in topics.SINKS:
            old_marks, new_marks = self._sinks.marks()
            return (
                list(_of_marks(old_marks.marks[name])),
                list(_of_marks(new_marks.marks[name])),
                new_marks.monotonic_s - old_marks.monotonic_s,
            )
        old, new = self._view.ledgers()
        return (
            list(_of_ledgers(name, old.ledgers)),
            list(_of_ledgers(name, new.ledgers)),
            new.monotonic_s - old.monotonic_s,
        )

    def _overdue_us(self, name: str) -> int:
        """Return how long a pipeline may leave its input alone; the archive lets it gather."""
        if name != topics.ARCHIVE:
            return COMMIT_OVERDUE_US
        return COMMIT_OVERDUE_US + int(self._settings.archive.max_staleness_s * _US_PER_S)


def _of_ledgers(pipeline: str, ledgers: Mapping[Place, bytes]) -> Iterator[Progress]:
    changelog, topic = _CHANGELOG_OF[pipeline], topics.INPUT_OF[pipeline]
    for place, value in sorted(ledgers.items()):
        if place.topic != changelog:
            continue
        try:
            ledger = decode_ledger(value)
        except msgspec.DecodeError as error:
            raise DataError(
                f"the ledger of partition {place.partition} in {changelog} cannot be read "
                f"({error}); run one version of imustream everywhere"
            ) from None
        yield Progress(
            Place(topic, place.partition),
            ledger.slot,
            ledger.next_offset,
            ledger.committed_us,
            ledger.counts,
        )


def _of_marks(marks: Mapping[Place, Mark]) -> Iterator[Progress]:
    for place, mark in sorted(marks.items()):
        yield Progress(place, mark.slot, mark.next_offset, mark.committed_us, mark.counts)
