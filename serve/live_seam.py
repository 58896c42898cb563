"""Where one subscription stands in one partition, and how it passes from old to live. Pure.

Two readers go over the partition: the live one at its end, shared by all, and one that catches up
from where the client was. Each record's messages are offered by both, and taken once:

    offsets   ... 41 42 43 44 45 46 47 ...
    catching up  -----------> c              has read all before c
    live                          ----> n    has handed over all before n

Behind, a subscription takes old records alone. As soon as c >= n it is on the live reader and
takes from it what lies at c and after: all before c it has, all from n on is still to come.
"""


class Seam:
    """A subscription's place in a partition.

    The caller sees to it that what the live reader hands over from :meth:`join` on includes this
    subscription's messages, and that each reader offers its records in the order of offsets.
    """

    def __init__(self, next_offset: int) -> None:
        """Begin behind; ``next_offset`` is of the first record that is needed."""
        self.next_offset = next_offset
        self.live = False

    def takes_old(self, offset: int) -> bool:
        """Return whether a record from catching up is needed; if so it counts as taken."""
        return not self.live and self._takes(offset)

    def takes_live(self, offset: int) -> bool:
        """Return whether a record from the live reader is needed; if so it counts as taken."""
        return self.live and self._takes(offset)

    def read_through(self, end: int) -> None:
        """Note that catching up has offered all that lies before ``end``."""
        self.next_offset = max(self.next_offset, end)

    def join(self, live_next: int) -> bool:
        """Pass to the live reader if nothing is missed by it; ``live_next`` is n above."""
        self.live = self.live or self.next_offset >= live_next
        return self.live

    def _takes(self, offset: int) -> bool:
        if offset < self.next_offset:
            return False
        self.next_offset = offset + 1
        return True
