"""One client's subscription: its places in the partitions of a stream, and what it is given."""

from collections.abc import Callable

from serve import live_note
from serve.client_queue import ClientQueue
from serve.live_delivery import Delivery
from serve.live_encoding import SharedMessage, Source
from serve.live_reader import LiveReader
from serve.live_seam import Seam
from serve.live_streams import Place
from serve.live_watch import Watch, WatchList
from serve.live_wish import Wish

Sees = Callable[[str], bool]


class Subscription:
    """Takes from the live reader, and before that from catching up, what its client needs.

    All methods belong to the event loop.
    """

    def __init__(
        self, wish: Wish, number: int | None, queue: ClientQueue, sees: Sees, *, tells: bool
    ) -> None:
        """``sees`` says of a sensor whether the client may; ``tells``, whether it wants notes."""
        self.wish = wish
        self.number = number
        self.queue = queue
        self.seams: dict[int, Seam] = {}
        self.ended = False
        self._sees = sees
        self._tells = tells
        self._told: dict[int, int] = {}
        self._made_when_told = 0

    async def begin(self, watch: Watch, reader: LiveReader) -> list[Place]:
        """Wait for the live reader; return the partitions in which something may have been missed.

        In all others the subscription is live when this returns.
        """
        await reader.follows(watch)
        behind = []
        for place in watch.places:
            live_next = reader.next_offset(place) or 0
            resumed = self.wish.resume.get(place[1])
            seam = Seam(live_next if resumed is None else resumed + 1)
            # Who gives an offset that is not there yet is behind too: its log is another one.
            if seam.next_offset > live_next or not seam.join(live_next):
                behind.append(place)
            self.seams[place[1]] = seam
        self._told = {p: seam.next_offset - 1 for p, seam in self.seams.items()}
        self.note(live_note.subscribed(self.number, self._told))
        return behind

    def take_live(self, source: Source, sensor_id: str | None, message: SharedMessage) -> None:
        """Take a message from the live reader, if it is the one whose turn it is."""
        seam = self.seams.get(source.partition)
        if seam is not None and seam.takes_live(source.offset) and self._may_see(sensor_id):
            self.queue.put(message)

    def needs(self, delivery: Delivery) -> bool:
        """Return whether a message from catching up is to be given to :meth:`take_old`."""
        seam = self.seams[delivery.source.partition]
        return delivery.source.offset >= seam.next_offset and self._may_see(delivery.sensor_id)

    def take_old(self, delivery: Delivery) -> None:
        """Take a message from catching up; there is room for it."""
        if self.seams[delivery.source.partition].takes_old(delivery.source.offset):
            self.queue.put(delivery.message)

    def note(self, note: str) -> None:
        """Tell the client, if it wants to be told."""
        if self._tells:
            self.queue.put_note(note)

    def note_position(self, reader: LiveReader, watch: Watch) -> None:
        """Tell where the client would go on, if nothing else has told it since the last time."""
        made, self._made_when_told = self._made_when_told, self.queue.made
        if made != self.queue.made or not all(seam.live for seam in self.seams.values()):
            return
        positions = {place[1]: (reader.next_offset(place) or 0) - 1 for place in watch.places}
        if self.seams and positions != self._told and not len(self.queue):
            self._told = positions
            self.note(live_note.position(self.number, positions))

    def end(self, watches: WatchList, watch: Watch) -> None:
        """Take no more."""
        self.ended = True
        watches.remove(watch, self)
        self.queue.clear()

    def _may_see(self, sensor_id: str | None) -> bool:
        return sensor_id is None or self._sees(sensor_id)
