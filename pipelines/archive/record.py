"""A record as the archive takes it in, free of the Kafka client."""

from collections.abc import Mapping
from typing import NamedTuple

from pipelines import topics
from pipelines.errors import DataError


class Record(NamedTuple):
    """One committed record; ``timestamp_us`` is Kafka's own time of it, since the epoch."""

    offset: int
    key: bytes | None
    value: bytes
    headers: Mapping[str, bytes]
    timestamp_us: int

    @property
    def is_tick(self) -> bool:
        """Whether it only says that a second has passed."""
        return self.key is None and self.headers.get(topics.CONTENT_TYPE) == _TICK


_TICK = topics.TICK_TYPE.encode()


class UnreadableRecordError(DataError):
    """A record is not what its topic holds; ``offset`` says which."""

    def __init__(self, offset: int, why: str) -> None:
        super().__init__(why)
        self.offset = offset


def text_of(raw: bytes | None) -> str | None:
    """Return bytes as text; what is not UTF-8 is kept as U+FFFD, so that no record is lost."""
    return None if raw is None else raw.decode(errors="replace")
