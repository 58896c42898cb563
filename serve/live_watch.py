"""Who watches what: the streams that clients have open, as the event loop and the reader see it."""

from collections.abc import Iterable, Mapping

from pipelines.partitioner import partition_of
from serve.client_queue import ClientQueue
from serve.live_messages import TOPIC_OF
from serve.thinning import Thinner

Place = tuple[str, int]
"""A topic and a partition."""


class Watch:
    """One stream of one sensor, thinned alike for all its clients.

    The event loop owns ``clients``, the reader's thread owns ``thinner``.
    """

    def __init__(self, stream: str, sensor_id: str, max_hz: float | None) -> None:
        self.key = (stream, sensor_id, max_hz)
        self.sensor_id = sensor_id
        self.at: Place = (TOPIC_OF[stream], partition_of(sensor_id))
        self.thinner = None if max_hz is None else Thinner(max_hz)
        self.clients: set[ClientQueue] = set()

    def deliver(self, head: str) -> None:
        """Give a message to every client."""
        for client in self.clients:
            client.put(head)


class WatchList:
    """All watches. The event loop changes it; the reader's thread looks things up in it.

    Each change puts a new inner mapping in place of the old one, so a reader holds either the one
    or the other, whole, without a lock.
    """

    def __init__(self) -> None:
        self._watches: dict[tuple[str, str, float | None], Watch] = {}
        self._by_partition: dict[Place, Mapping[str, tuple[Watch, ...]]] = {}

    def partitions(self) -> set[Place]:
        """Return the partitions that somebody watches."""
        return set(self._by_partition)

    def at(self, place: Place) -> Mapping[str, tuple[Watch, ...]]:
        """Return the watches of a partition by sensor id."""
        return self._by_partition.get(place, {})

    def add(self, stream: str, sensor_id: str, max_hz: float | None, client: ClientQueue) -> Watch:
        """Let a client watch; it shares the watch of others who want the same."""
        wanted = Watch(stream, sensor_id, max_hz)
        watch = self._watches.setdefault(wanted.key, wanted)
        watch.clients.add(client)
        if watch is wanted:
            self._replace(watch, (*self.at(watch.at).get(sensor_id, ()), watch))
        return watch

    def remove(self, watch: Watch, client: ClientQueue) -> None:
        """Let a client watch no longer."""
        watch.clients.discard(client)
        if not watch.clients:
            del self._watches[watch.key]
            others = self.at(watch.at)[watch.sensor_id]
            self._replace(watch, tuple(other for other in others if other is not watch))

    def _replace(self, watch: Watch, watches: Iterable[Watch]) -> None:
        sensors = {**self.at(watch.at), watch.sensor_id: tuple(watches)}
        if not sensors[watch.sensor_id]:
            del sensors[watch.sensor_id]
        if sensors:
            self._by_partition[watch.at] = sensors
        else:
            del self._by_partition[watch.at]
