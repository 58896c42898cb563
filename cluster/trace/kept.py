"""Where a sample's records are kept: documents of MongoDB and files of the archive."""

import asyncio
from collections.abc import Iterator
from typing import Any

from cluster.trace.downstream import Downstream
from cluster.trace.locate import Located
from cluster.trace.sources import Sources
from cluster.trace.stage import Stage, State
from pipelines import topics
from pipelines.errors import UnavailableError
from pipelines.settings import MongoSettings
from pipelines.sinks.session_documents import SESSIONS
from pipelines.sinks.sink_offsets import Place
from serve.session_reader import SessionReader


def document(sources: Sources, found: Located, session: Downstream) -> Stage:
    """Return the document of a sample's session in MongoDB."""
    if session.sighting is None:
        state = State.NEVER if session.stage.state is State.NEVER else State.WAITING
        return Stage("mongodb", state, "no session to be kept" if state is State.NEVER else "later")
    row = session.sighting.row
    try:
        kept = asyncio.run(_session(sources.settings.mongo, row["session_id"]))
    except UnavailableError as error:
        return Stage("mongodb", State.UNKNOWN, str(error))
    if kept is not None and kept["revision"] >= row["revision"]:
        words = (
            f"session {row['session_id']} is there, {kept['state']}, at revision {kept['revision']}"
        )
        facts = {name: kept[name] for name in ("revision", "state", "event")}
        place = f"{SESSIONS}/{row['session_id']}"
        return Stage("mongodb", State.HERE, words, place, facts=facts)
    place_of = Place(topics.SESSIONS, found.partition)
    behind = sources.progress.behind(
        topics.SESSION_WRITER, place_of, sources.kafka.bounds(place_of)[1]
    )
    there = "not there" if kept is None else f"at revision {kept['revision']}"
    words = f"{there} yet: {topics.SESSION_WRITER} is {behind:,} offsets behind"
    return Stage("mongodb", State.WAITING, words)


async def _session(settings: MongoSettings, session_id: str) -> dict[str, Any] | None:
    reader = SessionReader(settings)
    try:
        return await reader.session(session_id)
    finally:
        await reader.close()


def files(sources: Sources, found: Located, kept: dict[str, tuple[int, int]]) -> Iterator[Stage]:
    """Yield for each topic the file of the archive that holds the sample's record.

    Args:
        sources: what is looked into.
        found: the sample.
        kept: for each topic the record's offset and the event time that its file is of.

    Raises:
        UnavailableError: the archive's store does not answer.
    """
    for topic, (offset, event_us) in kept.items():
        place = Place(topic, found.partition)
        path = sources.archive.file_of(place, offset, event_us)
        if path is not None:
            yield Stage("archive", State.HERE, path, path, facts={"topic": topic})
        elif sources.progress.has_done(topics.ARCHIVE, place, offset):
            words = f"{topic}: archived, and no file is there: see `imustream archive verify`"
            yield Stage("archive", State.UNKNOWN, words, facts={"topic": topic})
        else:
            wait_s = sources.settings.archive.max_staleness_s
            words = f"{topic}: not yet; a record waits {wait_s:g} s at most while the archive runs"
            yield Stage("archive", State.WAITING, words, facts={"topic": topic})
