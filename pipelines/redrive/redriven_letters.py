"""Which letters of a partition were redriven, kept in the changelog. Pure.

A set of offsets as bits, cut into chunks of :data:`CHUNK` offsets with a record each. So it grows
with the span of dead-letters that retention leaves, an eighth of a byte an offset, and a redrive
writes what it touches.
"""

from collections.abc import Mapping
from typing import Final

CHUNK: Final = 4_096
KEY_PREFIX: Final = b"redriven/"

_BYTES: Final = CHUNK // 8


class RedrivenLetters:
    """The set of one partition."""

    def __init__(self, records: Mapping[bytes, bytes]) -> None:
        """Restore it from the records of :meth:`take_changes`, of which only the last count."""
        self._chunks = {
            int(key.removeprefix(KEY_PREFIX)): bytearray(value.ljust(_BYTES, b"\0"))
            for key, value in records.items()
        }
        self._changed: set[int] = set()

    def __contains__(self, offset: int) -> bool:
        chunk = self._chunks.get(offset // CHUNK)
        within = offset % CHUNK
        return chunk is not None and bool(chunk[within // 8] >> within % 8 & 1)

    def __len__(self) -> int:
        return sum(int.from_bytes(chunk).bit_count() for chunk in self._chunks.values())

    def add(self, offset: int) -> None:
        """Note that a letter was redriven."""
        chunk = self._chunks.setdefault(offset // CHUNK, bytearray(_BYTES))
        within = offset % CHUNK
        chunk[within // 8] |= 1 << within % 8
        self._changed.add(offset // CHUNK)

    def forget_below(self, offset: int) -> None:
        """Drop the chunks of letters that retention has deleted: nobody can ask for them."""
        gone = [number for number in self._chunks if (number + 1) * CHUNK <= offset]
        for number in gone:
            del self._chunks[number]
        self._changed.update(gone)

    def take_changes(self) -> list[tuple[bytes, bytes | None]]:
        """Return the records changed since the last call; None stands for a deleted one."""
        changed, self._changed = sorted(self._changed), set()
        return [(KEY_PREFIX + b"%d" % number, self._value(number)) for number in changed]

    def _value(self, number: int) -> bytes | None:
        chunk = self._chunks.get(number)
        return None if chunk is None else bytes(chunk.rstrip(b"\0"))
