"""Follow one sample through every stage, from the data themselves."""

from collections.abc import Iterator

from cluster.trace import absence, arrival, downstream, kept
from cluster.trace.archive_search import ArchiveSearch
from cluster.trace.deadline import Deadline
from cluster.trace.kafka_search import KafkaSearch
from cluster.trace.locate import Located, locate
from cluster.trace.progress import read_progress
from cluster.trace.sensor_line import line_of
from cluster.trace.sources import Sources
from cluster.trace.stage import Stage, State, Trace
from cluster.trace.where import Where
from pipelines import topics
from pipelines.archive.object_store import open_store
from pipelines.partitioner import partition_of
from pipelines.settings import Settings


def trace_sample(
    settings: Settings,
    sensor_id: str,
    sample: int,
    boot: int | None,
    *,
    where: Where,
    within_s: float,
    disorder_s: float,
) -> Trace:
    """Return where a sample is or was.

    Args:
        settings: of the stack or cluster.
        sensor_id: whose sample.
        sample: its number.
        boot: how often the sensor's numbering had restarted; None: the newest boot that has it.
        where: what is looked into.
        within_s: how long may be looked for it.
        disorder_s: how much later than its successors it may have come.

    Raises:
        UnavailableError: Kafka or the archive's store does not answer.
        DataError: what a pipeline wrote cannot be read.
    """
    deadline = Deadline(within_s)
    partition = partition_of(sensor_id)
    progress = read_progress(settings.kafka, partition)
    sources = Sources(
        settings,
        KafkaSearch(settings.kafka, deadline),
        ArchiveSearch(open_store(settings), deadline),
        progress,
        line_of(progress.saved, partition, sensor_id),
        where,
        disorder_s,
    )
    found = locate(sources, sensor_id, sample, boot)
    if found is None:
        return _absent(sources, sensor_id, sample, boot, deadline)
    stages = tuple(_present(sources, found))
    received_us = next((s.at_us for s in stages if s.name == "mqtt"), None)
    return Trace(
        sensor_id, sample, found.boot, found.trace_id, received_us, stages, not deadline.passed
    )


def _present(sources: Sources, found: Located) -> Iterator[Stage]:
    first = arrival.reception(sources, found)
    yield first
    yield arrival.transformed_stage(found)
    written_us = found.sighting.written_us
    since_us = first.at_us if written_us is None else written_us
    yield _shown(sources, found)
    window = downstream.motion_window(sources, found, since_us)
    yield window.stage
    predicted = downstream.prediction(sources, found, since_us)
    yield predicted.stage
    velocity = downstream.velocity_window(sources, found, predicted)
    yield velocity.stage
    session = downstream.session(sources, found, window)
    yield session.stage
    yield kept.document(sources, found, session)
    offsets = {
        topics.RAW: (found.raw_offset, first.facts.get("device_us", found.timestamp_us)),
        topics.TRANSFORMED: (found.sighting.offset, found.timestamp_us),
    }
    if predicted.sighting is not None:
        offsets[topics.PREDICTIONS] = (predicted.sighting.offset, found.timestamp_us)
    if window.sighting is not None:
        offsets[topics.AGGREGATED] = (window.sighting.offset, window.sighting.row["start_us"])
    if session.sighting is not None:
        offsets[topics.SESSIONS] = (session.sighting.offset, session.sighting.row["start_us"])
    yield from kept.files(sources, found, offsets)


def _shown(sources: Sources, found: Located) -> Stage:
    """Return what is said of WebSocket clients: a record is theirs once it is committed."""
    words = (
        f"every client of /ws/transformed/{found.sensor_id} from then on, in its first message "
        f"with offset {found.sighting.offset} or later; `imustream trace "
        f"{found.sensor_id} --latest` measures it"
    )
    return Stage("websocket", State.HERE, words, None, found.sighting.written_us)


def _absent(
    sources: Sources, sensor_id: str, sample: int, boot: int | None, deadline: Deadline
) -> Trace:
    stages: list[Stage] = []
    at_us = None
    if sources.where is not Where.ARCHIVE:
        waiting = absence.waiting_frame(sources, sensor_id, sample)
        if waiting is not None:
            stages += absence.waiting_stages(sources, waiting)
        else:
            at_us = absence.around_us(sources, sample, boot)
            if at_us is not None:
                frames = list(absence.known_frames(sources, sensor_id, sample, at_us))
                stages += [arrival.raw_stage(one, sources.partition, []) for one in frames]
                offsets = {one.record.offset for one in frames}
                stages += absence.letters(sources, sensor_id, sample, at_us, offsets)
    if not any(stage.state is State.WAITING or stage.name == "dead_letter" for stage in stages):
        stages.append(absence.nowhere(sources, sample, boot, at_us))
    first = next((stage for stage in stages if stage.name == "mqtt"), None)
    trace_id, received_us = (None, None) if first is None else (first.place, first.at_us)
    return Trace(sensor_id, sample, boot, trace_id, received_us, tuple(stages), not deadline.passed)
