"""What is said of a sample that is not among the transformed ones."""

from collections.abc import Iterator

from cluster.trace.arrival import raw_stage, reception_us
from cluster.trace.frame_search import RawFrame, claims, frames_between, letters_between
from cluster.trace.kafka_search import CLOCKS_APART_US
from cluster.trace.locate import expected_us
from cluster.trace.progress import SENSOR_PROCESSING
from cluster.trace.sources import US, Sources
from cluster.trace.stage import Stage, State
from cluster.trace.where import Where
from pipelines import topics
from pipelines.redrive.letter import Letter
from pipelines.sinks.sink_offsets import Place


def waiting_frame(sources: Sources, sensor_id: str, sample: int) -> RawFrame | None:
    """Return the frame of a sample among the raw records that nobody has transformed yet.

    Raises:
        UnavailableError: Kafka does not answer.
    """
    place = Place(topics.RAW, sources.partition)
    low, high = sources.kafka.bounds(place)
    start = max(low, sources.progress.next_offset.get((SENSOR_PROCESSING, place), 0))
    between = (place, start, high)
    frames = frames_between(sources.kafka, sensor_id, sample, sources.rate_hz, between)
    return next(frames, None)


def waiting_stages(sources: Sources, found: RawFrame) -> Iterator[Stage]:
    """Yield the stages of a sample that waits to be transformed."""
    yield raw_stage(found, sources.partition, [])
    place = Place(topics.RAW, sources.partition)
    _, end = sources.kafka.bounds(place)
    behind = sources.progress.behind(SENSOR_PROCESSING, place, end)
    words = f"not yet: {SENSOR_PROCESSING} is {behind:,} offsets of {place.topic} behind"
    yield Stage("transformed", State.WAITING, words)


def around_us(sources: Sources, sample: int, boot: int | None) -> int | None:
    """Return when the bridge should have received a sample; None where no line says. Pure."""
    line = sources.line
    if line is None or not line.boots:
        return None
    device_us = expected_us(sources, sample, line.boots[0].boot if boot is None else boot)
    return None if device_us is None else device_us - line.clock_ahead_us


def known_frames(sources: Sources, sensor_id: str, sample: int, at_us: int) -> Iterator[RawFrame]:
    """Yield the frames of a sample among the raw records around a time; raises as above."""
    place = Place(topics.RAW, sources.partition)
    between = (place, *_around(sources, place, at_us))
    yield from frames_between(sources.kafka, sensor_id, sample, sources.rate_hz, between)


def letters(
    sources: Sources, sensor_id: str, sample: int, at_us: int, raw_offsets: set[int]
) -> Iterator[Stage]:
    """Yield the dead letters around a time that come of those records, or say they have a sample.

    Raises:
        UnavailableError: Kafka does not answer.
    """
    place = Place(topics.DEAD_LETTERS, sources.partition)
    start, end = _around(sources, place, at_us)
    for letter in letters_between(sources.kafka, sensor_id, start, end, sources.partition):
        source = letter.source
        of_raw = source is not None and source.topic == topics.RAW
        known = source is not None and of_raw and source.offset in raw_offsets
        if known or claims(letter, sample):
            if source is not None and of_raw and not known:
                yield from _reception_of(sources, source.offset)
            yield letter_stage(letter)


def _reception_of(sources: Sources, offset: int) -> Iterator[Stage]:
    """Yield the raw record that a letter came of, if Kafka still has it."""
    place = Place(topics.RAW, sources.partition)
    record = sources.kafka.record(place, offset)
    if record is not None:
        words = f"received by the bridge, {len(record.value):,} B"
        where = f"{place.topic}/{place.partition}/{offset}"
        yield Stage("mqtt", State.HERE, words, where, reception_us(record))


def letter_stage(letter: Letter) -> Stage:
    """Return what is said of a dead letter. Pure."""
    words = (
        f"refused by {letter.pipeline}: {letter.reason}, {letter.detail or 'no detail'}; see "
        f"`imustream dead-letters show {letter.place}`"
    )
    place = f"{topics.DEAD_LETTERS}/{letter.partition}/{letter.offset}"
    return Stage("dead_letter", State.HERE, words, place, letter.written_us, letter.facts())


def nowhere(sources: Sources, sample: int, boot: int | None, at_us: int | None) -> Stage:
    """Return what is said where nothing was found. Pure."""
    line = sources.line
    known = None
    if line is not None and line.boots:
        known = line.boots[0] if boot is None else line.of_boot(boot)
    if sources.where is Where.ARCHIVE:
        words = "the archive does not have it: `imustream archive status` says how far it is"
    elif line is None:
        words = (
            "nothing is known of this sensor: see `imustream tail raw`; what Kafka no longer has "
            "may be found with --where archive"
        )
    elif known is not None and known.seen and sample >= known.seen[-1][1]:
        words = (
            f"not received: the last sample of boot {known.boot} is {known.seen[-1][1] - 1}; "
            "it comes, or the device or the network has it"
        )
    elif known is not None and known.has(sample) is False:
        words = (
            f"never received: boot {known.boot} has a gap here, and no dead letter around says "
            "that it has the sample"
        )
    else:
        words = "not found; name its --boot, or search further out of order with --disorder"
    state = State.UNKNOWN if at_us is None else State.NEVER
    return Stage("transformed", state, words)


def _around(sources: Sources, place: Place, at_us: int) -> tuple[int, int]:
    """Return the offsets whose records Kafka has from around a time."""
    start = sources.kafka.offset_at(place, at_us - CLOCKS_APART_US)
    return start, sources.kafka.offset_at(place, at_us + round(sources.disorder_s * US))
