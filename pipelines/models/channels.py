"""Which version of a model is the stable one, which the candidate: ``channels.json``."""

import json
from dataclasses import asdict, dataclass, fields, replace

from pipelines.errors import DataError, NotFoundError

CHANNELS = ("stable", "candidate")


@dataclass(frozen=True)
class Channels:
    """The version behind each channel; ``previous`` was stable before, for a rollback."""

    stable: str | None = None
    candidate: str | None = None
    previous: str | None = None

    def version(self, channel: str) -> str | None:
        """Return the version behind ``stable`` or ``candidate``, or None.

        Raises:
            DataError: there is no such channel.
        """
        if channel not in CHANNELS:
            raise DataError(f"channel {channel!r} is none of {', '.join(CHANNELS)}")
        return self.stable if channel == "stable" else self.candidate

    def promoted(self, version: str, channel: str) -> "Channels":
        """Return the channels with ``version`` behind ``channel``.

        A candidate that becomes stable is a candidate no longer; the version that was stable is
        kept for :meth:`rolled_back`.
        """
        if self.version(channel) == version:
            return self
        if channel == "candidate":
            return replace(self, candidate=version)
        candidate = None if self.candidate == version else self.candidate
        return Channels(stable=version, candidate=candidate, previous=self.stable)

    def rolled_back(self, name: str) -> "Channels":
        """Return the channels with the version that was stable before as the stable one.

        Raises:
            NotFoundError: none was stable before.
        """
        if self.previous is None:
            raise NotFoundError(
                f"model {name}: no version was stable before {self.stable}; choose one with "
                f"`imustream models promote {name} VERSION`"
            )
        return replace(self, stable=self.previous, previous=self.stable)


def read_channels(content: bytes, where: str) -> Channels:
    """Return what ``channels.json`` says.

    Raises:
        DataError: it is malformed; the message begins with ``where``.
    """
    try:
        found = json.loads(content)
    except ValueError as error:
        raise DataError(f"{where} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise DataError(f"{where} must hold a JSON object")
    names = [field.name for field in fields(Channels)]
    for name in names:
        if not isinstance(found.get(name), str | None):
            raise DataError(f"{where}: $.{name} is {found[name]!r}; it must be a version or null")
    return Channels(**{name: found.get(name) for name in names})


def write_channels(channels: Channels) -> bytes:
    """Return the ``channels.json`` that says this."""
    return json.dumps(asdict(channels), indent=2).encode() + b"\n"
