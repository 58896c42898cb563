"""Dead letters of a pipeline, by the bytes of its input that they hold."""

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

from confluent_kafka import Message

from pipelines.topics import RAW
from pipelines.verify.redrives import redrive_of
from pipelines.verify.streams import record_headers

_ALLOWED = re.compile(rb"(\d{1,18}) us are allowed$")


class Letter(NamedTuple):
    """A dead letter: the record, when it was received, the bytes of it that failed, and why.

    ``allowed_us`` is how far ahead of its reception a timestamp might be when it was refused; None
    where it does not say.
    """

    offset: int
    start: int
    end: int
    reason: str
    key: bytes | None
    value: bytes
    own_offset: int
    failed_us: int
    allowed_us: int | None = None


class LetterStream:
    """Gives the dead letters up to an input offset; one that comes too late is a stray.

    ``kept`` are those of ``keep`` by their own offset, and ``of_redrives`` those that a redrive
    made, by the offset of the letter redriven; they are for the caller to take out.
    """

    def __init__(
        self,
        batches: Iterator[list[Message]],
        pipeline: str,
        partition: int,
        source: str = RAW,
        keep: Collection[int] = (),
    ) -> None:
        self._batches = batches
        self._pipeline = pipeline.encode()
        self._prefix = f"{source}/{partition}/".encode()
        self._pending: list[Letter] = []
        self._done = 0
        self._keep = keep
        self.kept: dict[int, Letter] = {}
        self.of_redrives: dict[int, list[Letter]] = {}
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
                int(headers.get("failed-us", b"")),
                _allowed_us(headers.get("detail", b"")),
            )
        except ValueError:
            self.malformed.append(own)
            return
        if own in self._keep:
            self.kept[own] = letter
        of = redrive_of(headers)
        if of is not None:
            self.of_redrives.setdefault(of, []).append(letter)
        elif letter.offset < self._done:
            self.strays.append(letter)
        else:
            self._pending.append(letter)


def _allowed_us(detail: bytes) -> int | None:
    found = _ALLOWED.search(detail)
    return None if found is None else int(found[1])
