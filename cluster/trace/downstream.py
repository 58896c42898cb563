"""What became of a transformed sample: its window, prediction, session, documents."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from cluster.trace.kafka_search import When
from cluster.trace.locate import Located
from cluster.trace.moment import clock
from cluster.trace.progress import ML_INFERENCE, SESSION_AGGREGATION
from cluster.trace.sources import US, Sources
from cluster.trace.stage import Stage, State
from cluster.trace.wanted import Sighting, sample_rows, session_rows, window_rows
from pipelines import topics
from pipelines.sinks.sink_offsets import Place

_MOST_WINDOW_S: Final = 3_600
"""A window is not longer than this; it bounds how far back one is sought that holds a time."""
_READ_ON_S: Final = 30.0
"""How much of Kafka's time is read after a record before what came of it is sought by halving."""


class Downstream(NamedTuple):
    """Stages, and the rows they were found in, for what follows."""

    stage: Stage
    sighting: Sighting | None


def motion_window(sources: Sources, found: Located, since_us: int | None) -> Downstream:
    """Return the motion window of a sample. Raises UnavailableError, as all below."""
    if found.late:
        words = "none: the sample was late, and its window closed without it"
        return Downstream(Stage("motion_window", State.NEVER, words), None)
    seen = _window(sources, found, "motion", since_us)
    if seen is not None:
        row = seen.row
        words = (
            f"{_span(row)}: {row['samples']} samples, {row['gaps']} missing, closed by "
            f"{row['closed_by']}"
        )
        return Downstream(_here("motion_window", topics.AGGREGATED, found, seen, words), seen)
    return Downstream(_open_window(sources, found), None)


def prediction(sources: Sources, found: Located, since_us: int | None) -> Downstream:
    """Return what the model said of a sample."""
    margin = sources.disorder_samples
    wanted = sample_rows(topics.PREDICTIONS, found.sensor_id, found.boot, found.sample, margin)
    seen = sources.find(wanted, _soon_after(since_us), (found.timestamp_us, found.timestamp_us))
    if seen is not None:
        row = seen.row
        words = (
            f"{row['velocity']:.3f} m/s, moving with {row['moving_probability']:.0%}, by model "
            f"{row['model_name']} {row['model_version']} ({row['model_sha256'][:12]})"
        )
        return Downstream(_here("prediction", topics.PREDICTIONS, found, seen, words), seen)
    done = sources.progress.has_done(ML_INFERENCE, found.place, found.sighting.offset)
    if done:
        words = (
            "none: ml_inference has done the record and made none of this sample, which came "
            "after its successors or has a dead letter; or Kafka no longer has it (a day)"
        )
        return Downstream(Stage("prediction", State.NEVER, words), None)
    words = f"not yet: {_behind(sources, ML_INFERENCE, found.place)}"
    return Downstream(Stage("prediction", State.WAITING, words), None)


def velocity_window(sources: Sources, found: Located, predicted: Downstream) -> Downstream:
    """Return the velocity window of a sample."""
    name = "velocity_window"
    if predicted.sighting is None:
        state = State.NEVER if predicted.stage.state is State.NEVER else State.WAITING
        words = "none without a prediction" if state is State.NEVER else "comes after a prediction"
        return Downstream(Stage(name, state, words), None)
    seen = _window(sources, found, "velocity", predicted.sighting.written_us)
    if seen is None:
        words = "not closed yet: a predicted sample of a later window, or silence, closes it"
        return Downstream(Stage(name, State.WAITING, words), None)
    row = seen.row
    words = (
        f"{_span(row)}: at most {row['velocity_max']:.3f} m/s, {row['distance_m']:.3f} m, "
        f"closed by {row['closed_by']}"
    )
    return Downstream(_here(name, topics.AGGREGATED, found, seen, words), seen)


def session(sources: Sources, found: Located, window: Downstream) -> Downstream:
    """Return the first event of the session that has a sample's window."""
    if window.sighting is None:
        state = State.NEVER if window.stage.state is State.NEVER else State.WAITING
        words = "none: only windows make sessions" if state is State.NEVER else "after the window"
        return Downstream(Stage("session", state, words), None)
    wanted = session_rows(found.sensor_id, found.timestamp_us)
    since_us = window.sighting.written_us
    span_us = (found.timestamp_us - sources.session_us, found.timestamp_us)
    seen = sources.find(wanted, _soon_after(since_us), span_us)
    if seen is not None:
        row = seen.row
        words = f"{row['session_id']}: {row['event']}, revision {row['revision']}, {row['state']}"
        return Downstream(_here("session", topics.SESSIONS, found, seen, words), seen)
    place = Place(topics.AGGREGATED, found.partition)
    if sources.progress.has_done(SESSION_AGGREGATION, place, window.sighting.offset):
        every_s = sources.settings.sessions.update_ticks
        words = f"counted, and not told yet: an open session is told every {every_s} s"
    else:
        words = f"not yet: {_behind(sources, SESSION_AGGREGATION, place)}"
    return Downstream(Stage("session", State.WAITING, words), None)


def _window(sources: Sources, found: Located, kind: str, since_us: int | None) -> Sighting | None:
    longest_us = min(_MOST_WINDOW_S, sources.settings.processing.window_s) * US
    wanted = window_rows(
        found.sensor_id,
        kind,
        found.boot,
        found.timestamp_us,
        round(longest_us),
        round(longest_us + sources.disorder_s * US),
    )
    span_us = (found.timestamp_us - round(longest_us), found.timestamp_us)
    return sources.find(wanted, _soon_after(since_us), span_us)


def _open_window(sources: Sources, found: Located) -> Stage:
    line = None if sources.line is None else sources.line.of_boot(found.boot)
    processing = sources.settings.processing
    if line is not None and found.timestamp_us >= line.closed_until_us:
        words = (
            f"not closed yet: that needs a sample {processing.lateness_s:g} s past its end, or "
            f"{processing.silence_ticks} s of silence"
        )
        return Stage("motion_window", State.WAITING, words)
    words = "closed, and not found any more: Kafka keeps windows for 7 days"
    return Stage("motion_window", State.UNKNOWN, words)


def _soon_after(since_us: int | None) -> When:
    return When(since_us, round(_READ_ON_S * US), sure=True)


def _here(name: str, topic: str, found: Located, seen: Sighting, words: str) -> Stage:
    place = f"{topic}/{found.partition}/{seen.offset}"
    if seen.file is not None:
        words += "; found in the archive"
    return Stage(name, State.HERE, words, place, seen.written_us, _facts(seen.row))


def _facts(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a row says, without what it leaves open and what the trace says itself."""
    return {k: v for k, v in row.items() if v is not None and k not in ("sensor_id", "offset")}


def _span(row: Mapping[str, Any]) -> str:
    return f"{clock(row['start_us'])[:-7]} to {clock(row['end_us'])[11:-7]}"


def _behind(sources: Sources, pipeline: str, place: Place) -> str:
    _, end = sources.kafka.bounds(place)
    count = sources.progress.behind(pipeline, place, end)
    return f"{pipeline} is {count:,} offsets of {place.topic}/{place.partition} behind"
