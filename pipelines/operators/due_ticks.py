"""Which keys want attention at which tick, so that a tick looks at no others."""


class DueTicks:
    """Each key is due at one tick at the most; coming due takes it out."""

    def __init__(self) -> None:
        self._tick_of: dict[bytes, int] = {}
        self._keys_at: dict[int, set[bytes]] = {}

    def by(self, key: bytes, tick: int) -> None:
        """Have the key come due at ``tick``, unless it comes due before."""
        known = self._tick_of.get(key)
        if known is not None:
            if known <= tick:
                return
            self._keys_at[known].discard(key)
        self._tick_of[key] = tick
        self._keys_at.setdefault(tick, set()).add(key)

    def take(self, tick: int) -> list[bytes]:
        """Return the keys due at ``tick``, sorted; ticks are taken one after the other."""
        keys = sorted(self._keys_at.pop(tick, ()))
        for key in keys:
            del self._tick_of[key]
        return keys
