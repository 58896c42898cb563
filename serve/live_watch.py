"""Who watches what: the streams that clients have open, as the event loop and the reader see it."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from serve.live_encoding import SharedMessage, Source
from serve.live_streams import Place, Stream
from serve.live_wish import Format, Wish
from serve.thinning import Thinner

WatchKey = tuple[str, str | None, float | None, Format]


class Watcher(Protocol):
    """Who is given a watch's messages."""

    def take_live(self, source: Source, sensor_id: str | None, message: SharedMessage) -> None:
        """Take the message of one record."""


class Watch:
    """One stream, thinned and encoded alike for all its clients.

    The event loop owns ``clients``, the reader's thread owns ``thinner``.
    """

    def __init__(self, wish: Wish, version: int) -> None:
        self.key = key_of(wish)
        self.stream: Stream = wish.stream
        self.sensor_id = wish.sensor_id
        self.format = wish.format
        self.places = wish.stream.places(wish.sensor_id)
        self.thinner = None
        if wish.max_hz is not None and wish.stream.peaks is not None:
            self.thinner = Thinner(wish.max_hz, wish.stream.peaks)
        self.clients: set[Watcher] = set()
        self.version = version

    def deliver(self, source: Source, sensor_id: str | None, message: SharedMessage) -> None:
        """Give a message to every client."""
        for client in self.clients:
            client.take_live(source, sensor_id, message)


Watched = Mapping[str | None, tuple[Watch, ...]]
"""Watches by sensor id; None are those of all sensors, or of none."""


class WatchList:
    """All watches. The event loop changes it; the reader's thread looks things up in it.

    Each change puts a new inner mapping in place of the old one, so a reader holds either the one
    or the other, whole, without a lock; ``version`` rises after it. So who has seen a version
    sees all watches whose own is not larger.
    """

    def __init__(self) -> None:
        self.version = 0
        self._watches: dict[WatchKey, Watch] = {}
        self._by_partition: dict[Place, Watched] = {}

    def partitions(self) -> set[Place]:
        """Return the partitions that somebody watches."""
        return set(self._by_partition)

    def at(self, place: Place) -> Watched:
        """Return the watches of a partition by sensor id."""
        return self._by_partition.get(place, {})

    def add(self, wish: Wish, client: Watcher) -> Watch:
        """Let a client watch; it shares the watch of others who want the same."""
        watch = self._watches.get(key_of(wish))
        if watch is None:
            watch = Watch(wish, self.version + 1)
            self._watches[watch.key] = watch
            for place in watch.places:
                self._replace(place, watch, (*self._beside(place, watch), watch))
            self.version += 1
        watch.clients.add(client)
        return watch

    def remove(self, watch: Watch, client: Watcher) -> None:
        """Let a client watch no longer."""
        watch.clients.discard(client)
        if not watch.clients:
            del self._watches[watch.key]
            for place in watch.places:
                self._replace(place, watch, self._beside(place, watch))
            self.version += 1

    def _beside(self, place: Place, watch: Watch) -> tuple[Watch, ...]:
        there = self.at(place).get(watch.sensor_id, ())
        return tuple(other for other in there if other is not watch)

    def _replace(self, place: Place, watch: Watch, watches: Iterable[Watch]) -> None:
        sensors = {**self.at(place), watch.sensor_id: tuple(watches)}
        if not sensors[watch.sensor_id]:
            del sensors[watch.sensor_id]
        if sensors:
            self._by_partition[place] = sensors
        else:
            del self._by_partition[place]


def key_of(wish: Wish) -> WatchKey:
    """Return what is equal for clients who share a watch."""
    return wish.stream.name, wish.sensor_id, wish.max_hz, wish.format
