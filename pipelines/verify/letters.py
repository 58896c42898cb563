"""Dead letters of a pipeline, by the bytes of its input that they hold."""

from collections.abc import Iterator
from typing import NamedTuple

from confluent_kafka import Message

from pipelines.topics import RAW
from pipelines.verify.streams import record_headers


class Letter(NamedTuple):
    """A dead letter: the record and the bytes of it that failed, and why."""

    offset: int
    start: int
    end: int
    reason: str
    key: bytes | None
    value: bytes
    own_offset: int


class LetterStream:
    """Gives the dead letters up to an input offset; one that comes too late is a stray."""

    def __init__(
        self, batches: Iterator[list[Message]], pipeline: str, partition: int, source: str = RAW
    ) -> None:
        self._batches = batches
        self._pipeline = pipeline.encode()
        self._prefix = f"{source}/{partition}/".encode()
        self._pending: list[Letter] = []
        self._done = 0
        self.strays: list[Letter] = []
        self.malformed: list[int] = []

    def until(self, offset: int) -> list[Letter]:
        """Return the next letters whose source is below ``offset``."""
        while not self._pending or self._pending[-1].offset < offset:
            batch = next(self._batches, None)
            if batch is None:
                break
            for message in batch:
                self._take(message)
        taken = [letter for letter in self._pending if letter.offset < offset]
        self._pending = [letter for letter in self._pending if letter.offset >= offset]
        self._done = offset
        return taken

    def drain(self) -> None:
        """Read the rest, of which only the strays are of interest."""
        for batch in self._batches:
            for message in batch:
                self._take(message)
            self._pending = []

    def _take(self, message: Message) -> None:
        headers = record_headers(message)
        source = headers.get("source", b"")
        if headers.get("pipeline") != self._pipeline or not source.startswith(self._prefix):
            return
        own = message.offset() or 0
        try:
            start, _, end = headers.get("byte-range", b"").partition(b"-")
            letter = Letter(
                int(source.removeprefix(self._prefix)),
                int(start),
                int(end),
                headers.get("reason", b"").decode(),
                message.key(),
                message.value() or b"",
                own,
            )
        except ValueError:
            self.malformed.append(own)
            return
        (self.strays if letter.offset < self._done else self._pending).append(letter)
