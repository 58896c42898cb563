"""Put a version behind a channel, and take that back."""

from pipelines.errors import NotFoundError
from pipelines.models.channels import Channels
from pipelines.models.store import ModelStore


def promote(
    store: ModelStore,
    name: str,
    version: str | None,
    channel: str,
    expected: Channels | None = None,
) -> Channels:
    """Put a version behind a channel; without one, the candidate.

    ``expected``: the channels that whoever decides has seen; without them, those of now.

    Raises:
        NotFoundError: there is no such version, or no candidate.
        DataError: its files are damaged, or there is no such channel.
        ConflictError: somebody else changes the channels at the same time.
    """
    present = store.channels(name) if expected is None else expected
    wanted = version or present.candidate
    if wanted is None:
        raise NotFoundError(
            f"model {name} has no candidate: name a version, as in "
            f"`imustream models promote {name} 2`"
        )
    changed = present.promoted(wanted, channel)
    store.load(name, wanted)
    store.set_channels(name, changed, present)
    return changed


def roll_back(store: ModelStore, name: str, expected: Channels | None = None) -> Channels:
    """Make the version stable that was stable before; ``expected`` as of :func:`promote`.

    Raises:
        NotFoundError: none was, or it is gone.
        DataError: its files are damaged.
        ConflictError: somebody else changes the channels at the same time.
    """
    present = store.channels(name) if expected is None else expected
    changed = present.rolled_back(name)
    assert changed.stable is not None
    store.load(name, changed.stable)
    store.set_channels(name, changed, present)
    return changed
