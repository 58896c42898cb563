"""Reads the letters in dead-letters: some, newest first; one; or all, oldest first."""

import heapq
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from pipelines import topics
from pipelines.changelog import read_changelog
from pipelines.compacted import reader, until_end
from pipelines.errors import DataError, UnavailableError
from pipelines.kafka_clients import Options, transient, unavailable, watermarks
from pipelines.redrive.choice import LetterChoice
from pipelines.redrive.letter import Letter, is_letter, letter_of
from pipelines.redrive.redriven_letters import RedrivenLetters
from pipelines.settings import KafkaSettings

MOST_A_PAGE: Final = 500
MOST_LOOKED_AT: Final = 20_000
"""Letters that one page looks through; it ends there, and its cursor leads on."""
MOST_SECONDS: Final = 10.0

_BLOCK: Final = 200
"""Records of a partition read together, on the way from its end to its beginning."""
_FETCHING: Final[Options] = {"fetch.wait.max.ms": 5}
"""A fetch that waits at an end holds up the block that is asked for next."""
_READ: Final = 64
_WAIT_S: Final = 0.2

Span = tuple[int, int]
MayShow = Callable[[str | None], bool]


class LetterPage(NamedTuple):
    """Letters without their bytes, the newest first.

    next:    leads to older ones; None at the end
    reasons: how many of the letters looked at have each reason, chosen or not
    """

    letters: list[Letter]
    next: str | None
    reasons: dict[str, int]


class LetterReader:
    """One consumer of dead-letters; not for use by several threads. A context manager."""

    def __init__(self, kafka: KafkaSettings) -> None:
        """Make the client; it connects when it is first used."""
        self._kafka = kafka
        self._consumer: Consumer = reader(kafka, "imustream-dead-letters", _FETCHING)

    def __enter__(self) -> "LetterReader":
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def page(
        self,
        choice: LetterChoice,
        limit: int,
        cursor: str | None = None,
        may_show: MayShow = lambda _sensor_id: True,
    ) -> LetterPage:
        """Return the newest ``limit`` letters that are meant, from ``cursor`` on.

        Args:
            choice: which.
            limit: at most so many.
            cursor: ``next`` of a page before.
            may_show: whether the letters of a sensor, None for those of none, may be shown.

        Raises:
            DataError: the cursor is not one of ours.
            UnavailableError: the brokers did not answer.
        """
        try:
            walk = _Walk(self._consumer, None if cursor is None else _ends_of(cursor))
            return self._page(walk, choice, limit, may_show)
        except KafkaException as error:
            raise self._unavailable(error) from None

    def _page(
        self, walk: "_Walk", choice: LetterChoice, limit: int, may_show: MayShow
    ) -> LetterPage:
        deadline = time.monotonic() + MOST_SECONDS
        letters: list[Letter] = []
        reasons: Counter[str] = Counter()
        for looked_at, letter in enumerate(walk.newest_first(), 1):
            if may_show(letter.sensor_id):
                reasons[letter.reason] += 1
                if choice.holds(letter):
                    letters.append(letter)
            if len(letters) >= limit or looked_at >= MOST_LOOKED_AT:
                break
            if time.monotonic() > deadline:
                break
        return LetterPage(letters, walk.cursor(), dict(reasons))

    def letter(self, partition: int, offset: int) -> Letter | None:
        """Return the letter at an offset, with its bytes; None where there is none.

        Raises:
            UnavailableError: the brokers did not answer.
        """
        if not 0 <= partition < topics.PARTITIONS:
            return None
        try:
            low, high = watermarks(self._consumer, topics.DEAD_LETTERS, partition)
            if not low <= offset < high:
                return None
            for message in _read_spans(self._consumer, {partition: (offset, offset + 1)}):
                found = _letter(message)
                if found is not None and found.offset == offset:
                    return found
        except KafkaException as error:
            raise self._unavailable(error) from None
        return None

    def oldest_first(self, choice: LetterChoice) -> Iterator[Letter]:
        """Yield all letters that are meant and there by now, with their bytes.

        Raises:
            UnavailableError: the brokers did not answer.
        """
        partitions = list(range(topics.PARTITIONS))
        try:
            for message in until_end(self._consumer, topics.DEAD_LETTERS, partitions):
                letter = _letter(message)
                if letter is not None and choice.holds(letter):
                    yield letter
        except KafkaException as error:
            raise self._unavailable(error) from None

    def _unavailable(self, error: KafkaException) -> UnavailableError:
        return unavailable(error, f"reading {topics.DEAD_LETTERS}", self._kafka.bootstrap_servers)


def read_redriven(
    kafka: KafkaSettings, partitions: Sequence[int] = range(topics.PARTITIONS)
) -> dict[int, RedrivenLetters]:
    """Return which letters the slots have stepped again, by partition.

    Raises:
        UnavailableError: the brokers did not answer.
        DataError: a changelog was written by another version.
    """
    saved = read_changelog(kafka, topics.SENSOR_PROCESSING_CHANGELOG, partitions)
    return {partition: RedrivenLetters(found.redriven) for partition, found in saved.items()}


class _Walk:
    """From the ends of all partitions to their beginnings, the letter written last first."""

    def __init__(self, consumer: Consumer, ends: Sequence[int] | None) -> None:
        self._consumer = consumer
        self._lows: list[int] = []
        self._ends: list[int] = []
        """Letters at these offsets and above were given already."""
        for partition in range(topics.PARTITIONS):
            low, high = watermarks(consumer, topics.DEAD_LETTERS, partition)
            self._lows.append(low)
            self._ends.append(max(low, high if ends is None else min(ends[partition], high)))
        self._begins = list(self._ends)
        """Letters from these offsets on were read."""
        self._read: dict[int, list[Letter]] = {}

    def newest_first(self) -> Iterator[Letter]:
        """Yield them; :meth:`cursor` is behind the last one yielded."""
        self._load(range(topics.PARTITIONS))
        heads = [(-read[-1].written_us, p) for p, read in self._read.items() if read]
        heapq.heapify(heads)
        while heads:
            _, partition = heapq.heappop(heads)
            letter = self._read[partition].pop()
            self._ends[partition] = letter.offset
            if not self._read[partition]:
                self._ends[partition] = self._begins[partition]
            yield letter
            self._load([partition])
            read = self._read[partition]
            if read:
                heapq.heappush(heads, (-read[-1].written_us, partition))

    def cursor(self) -> str | None:
        """Return where to go on; None where nothing is left."""
        if all(end <= low for end, low in zip(self._ends, self._lows, strict=True)):
            return None
        return "-".join(map(str, self._ends))

    def _load(self, partitions: Sequence[int]) -> None:
        """Read back in these partitions until each has letters to give, or no more."""
        while True:
            spans = {
                p: (max(self._lows[p], self._begins[p] - _BLOCK), self._begins[p])
                for p in partitions
                if not self._read.get(p) and self._begins[p] > self._lows[p]
            }
            for p in partitions:
                self._read.setdefault(p, [])
            if not spans:
                return
            for message in _read_spans(self._consumer, spans):
                letter = _letter(message)
                if letter is not None:
                    self._read[letter.partition].append(letter._replace(value=b""))
            for p, (begin, _) in spans.items():
                self._begins[p] = begin
                if not self._read[p]:
                    self._ends[p] = begin


def _ends_of(cursor: str) -> list[int]:
    numbers = cursor.split("-")
    good = all(n.isascii() and n.isdecimal() and len(n) <= 18 for n in numbers)
    if len(numbers) != topics.PARTITIONS or not good:
        raise DataError(f"{cursor[:80]!r} is no cursor of dead letters: take `next` as it came")
    return [int(number) for number in numbers]


def _read_spans(consumer: Consumer, spans: Mapping[int, Span]) -> Iterator[Message]:
    """Yield the committed records of [begin, end) of each partition, in the order of each.

    Raises:
        KafkaException: the brokers did not answer in time.
    """
    left = dict(spans)
    consumer.assign([TopicPartition(topics.DEAD_LETTERS, p, b) for p, (b, _) in spans.items()])
    deadline = time.monotonic() + MOST_SECONDS
    while left:
        for message in consumer.consume(_READ, _WAIT_S):
            partition, offset, error = message.partition() or 0, message.offset(), message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                if not transient(error):
                    raise KafkaException(error)
                continue
            if offset is None or partition not in left:
                continue
            end = left[partition][1]
            if error is None and offset < end:
                yield message
            if error is not None or offset >= end - 1:
                del left[partition]
        if left and time.monotonic() > deadline:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"partitions {sorted(left)}"))
    consumer.unassign()


def _letter(message: Message) -> Letter | None:
    pairs: Any = message.headers() or ()
    headers = {name: value or b"" for name, value in pairs}
    if not is_letter(headers):
        return None
    return letter_of(
        message.partition() or 0,
        message.offset() or 0,
        message.key(),
        message.value() or b"",
        headers,
        message.timestamp()[1] * 1000,
    )
