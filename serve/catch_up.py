"""What resuming clients missed, read again from Kafka: in line, by few consumers, at their pace.

A reading goes over one partition for all who can share it (:mod:`serve.catch_up_line`). It waits
for a client that has no room, but not for long: then the client stands in line again as soon as
there is room. A client that has read up to the live reader passes to it (:mod:`serve.live_seam`);
one that has not when its turn ends and others wait goes to the end of the line.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from pipelines.kafka_clients import consumer_options, new_consumer, transient, watermarks
from pipelines.settings import KafkaSettings, LiveSettings
from serve import live_note
from serve.catch_up_line import begin_of, together
from serve.live_delivery import Delivery
from serve.live_reader import LiveReader, readable
from serve.live_records import record_of
from serve.live_seam import Seam
from serve.live_streams import Place
from serve.live_subscription import Subscription
from serve.live_watch import Watch, WatchList

log = logging.getLogger(__name__)
Answer = TypeVar("Answer")

_CHUNK_RECORDS = 64
"""Records read before their messages are handed over, each at most 1 MB."""
_POLL_S = 0.1
_PREFETCH_KB = 8 * 1024
_ROOM_S = 0.25
"""How long a reading waits for one client's room."""
_RETRY_S = 0.5


class Job:
    """A subscription that catches up in one partition."""

    def __init__(self, subscription: Subscription, place: Place) -> None:
        self.subscription = subscription
        self.place = place
        self.seam: Seam = subscription.seams[place[1]]
        self.turn_over = asyncio.Event()

    @property
    def next_offset(self) -> int:
        """The first offset that is needed."""
        return self.seam.next_offset

    @property
    def done(self) -> bool:
        """Whether there is nothing left to do."""
        return self.seam.live or self.subscription.ended


class _Chunk(NamedTuple):
    """What was read: all before ``end``; ``made`` are the messages in it.

    lost: the next record is gone from Kafka
    """

    made: list[Delivery]
    end: int
    lost: bool


class CatchUp:
    """The line and its readers. Create it in the event loop; :meth:`stop` ends it."""

    def __init__(self, kafka: KafkaSettings, live: LiveSettings, reader: LiveReader) -> None:
        self._kafka = kafka
        self._turn_s = live.catch_up_turn_s
        self._reader = reader
        self._line: deque[Job] = deque()
        self._came = asyncio.Condition()
        self._workers = [asyncio.create_task(self._work()) for _ in range(live.catch_ups)]

    async def run(self, subscription: Subscription, place: Place) -> None:
        """Bring a subscription up to the live reader in one partition."""
        job = Job(subscription, place)
        while not job.done:
            await subscription.queue.room()
            job.turn_over.clear()
            async with self._came:
                self._line.append(job)
                self._came.notify()
            await job.turn_over.wait()

    async def stop(self) -> None:
        """End all readings."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    def check(self) -> None:
        """Raise where a reader has ended by an error of ours."""
        for worker in self._workers:
            if worker.done() and not worker.cancelled():
                worker.result()

    async def _work(self) -> None:
        source = _OldRecords(self._kafka)
        try:
            while True:
                async with self._came:
                    await self._came.wait_for(lambda: self._line)
                    jobs = together(self._line)
                remaining = set(jobs)
                try:
                    await self._take_turn(source, jobs, remaining)
                except KafkaException as error:
                    log.info("Kafka: catching up waits: %s", error)
                    await asyncio.sleep(_RETRY_S)
                finally:
                    for job in remaining:
                        job.turn_over.set()
        finally:
            source.close()

    async def _take_turn(self, source: "_OldRecords", jobs: list[Job], remaining: set[Job]) -> None:
        """Read for these jobs until they are done, have no room, or others must have a turn."""
        place = jobs[0].place
        low, high = await source.ends(place)
        views = WatchList()
        reading: dict[Job, Watch] = {}
        for job in jobs:
            tell_missed(job, low, high)
            if self._joins(job):
                _leave(job, remaining)
            else:
                reading[job] = views.add(job.subscription.wish, job.subscription)
        if not reading:
            return
        until_s = time.monotonic() + self._turn_s
        await source.begin(place, begin_of(reading))
        try:
            while reading and (time.monotonic() < until_s or not self._line):
                chunk = await source.read(views, place)
                stalled = await _give(chunk.made, reading)
                for job in list(reading):
                    if job not in stalled:
                        job.seam.read_through(chunk.end)
                    if job in stalled or self._joins(job):
                        views.remove(reading.pop(job), job.subscription)
                        _leave(job, remaining)
                if chunk.lost:
                    return
        finally:
            await source.pause()

    def _joins(self, job: Job) -> bool:
        """Return whether nothing is left to do; pass to the live reader where that is so."""
        if job.subscription.ended:
            return True
        live_next = self._reader.next_offset(job.place)
        if live_next is None or not job.seam.join(live_next):
            return False
        if all(seam.live for seam in job.subscription.seams.values()):
            job.subscription.note(live_note.caught_up(job.subscription.number))
        return True


def _leave(job: Job, remaining: set[Job]) -> None:
    """Let a job go on before the turn of the others is over."""
    remaining.discard(job)
    job.turn_over.set()


def tell_missed(job: Job, low: int, high: int) -> None:
    """Tell what Kafka has no more, where that is so; ``low`` is the first offset that it has.

    ``high`` is the offset after the last.
    """
    seam, subscription = job.seam, job.subscription
    stream, partition = subscription.wish.stream.name, job.place[1]
    if seam.next_offset < low:
        why = "Kafka keeps them no longer"
        missing = (seam.next_offset, low - 1)
    elif seam.next_offset > high:
        why = "the topic ends before the offset given: it was made anew, and what it holds skipped"
        missing = (low, high - 1)
    else:
        return
    seam.next_offset = max(low, min(seam.next_offset, high))
    note = live_note.missed(subscription.number, stream, partition, *missing, why)
    subscription.note(note)


async def _give(made: Sequence[Delivery], reading: Mapping[Job, Watch]) -> set[Job]:
    """Give messages to the jobs that need them; return those that had no room in time."""
    jobs: dict[Watch, list[Job]] = {}
    for job, watch in reading.items():
        jobs.setdefault(watch, []).append(job)
    stalled: set[Job] = set()
    for delivery in made:
        takers = [
            job
            for job in jobs[delivery.watch]
            if job not in stalled
            and not job.subscription.ended
            and job.subscription.needs(delivery)
        ]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ROOM_S):
                for job in takers:
                    await job.subscription.queue.room()
        for job in takers:
            if job.subscription.queue.has_room:
                job.subscription.take_old(delivery)
            else:
                stalled.add(job)
    return stalled


class _OldRecords:
    """A consumer for each reading, in a thread of its own."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._thread = ThreadPoolExecutor(1, "catch-up")
        self._consumer: Consumer | None = None

    async def ends(self, place: Place) -> tuple[int, int]:
        """Return the first offset that exists and the one after the last; KafkaException."""
        return await self._call(lambda consumer: watermarks(consumer, *place))

    async def begin(self, place: Place, offset: int) -> None:
        """Read a partition from an offset on."""
        await self._call(lambda consumer: consumer.assign([TopicPartition(*place, offset)]))

    async def read(self, views: WatchList, place: Place) -> _Chunk:
        """Read some records and make their messages; KafkaException."""
        return await self._call(lambda consumer: _read(consumer, views, place))

    async def pause(self) -> None:
        """Read no more for now.

        The next reading has a consumer of its own: one that is assigned anew may first give what
        it had fetched before, from further on, and all in between would be missed.
        """
        await asyncio.get_running_loop().run_in_executor(self._thread, self._drop)

    def close(self) -> None:
        """Give the consumer back once no call of it is under way."""
        self._thread.submit(self._drop)
        self._thread.shutdown(wait=False)

    def _drop(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close()

    async def _call(self, ask: Callable[[Consumer], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._ask, ask)

    def _ask(self, ask: Callable[[Consumer], Answer]) -> Answer:
        if self._consumer is None:
            self._consumer = new_consumer(
                consumer_options(self._settings, "imustream-catch-up")
                | {
                    "enable.partition.eof": True,
                    "fetch.wait.max.ms": 10,
                    "queued.max.messages.kbytes": _PREFETCH_KB,
                }
            )
        return ask(self._consumer)


def _read(consumer: Consumer, views: WatchList, place: Place) -> _Chunk:
    made: list[Delivery] = []
    end, lost = 0, False
    watched = views.at(place)
    first = consumer.poll(_POLL_S)
    for message in () if first is None else (first, *consumer.consume(_CHUNK_RECORDS, 0)):
        error, offset = message.error(), message.offset()
        if (message.topic(), message.partition()) != place or offset is None:
            continue
        if error is None:
            record = record_of(message)
            if record is not None:
                made += readable(record, watched)
            end = max(end, offset + 1)
        elif error.code() == KafkaError._PARTITION_EOF:
            end = max(end, offset)
        elif error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
            lost = True
            break
        elif not transient(error):
            raise KafkaException(error)
    return _Chunk(made, end, lost)
