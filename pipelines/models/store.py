"""The store of models: what every kind of store can do, and which one the settings name.

Below the store's address a model's files lie as ``{name}/{version}/model.onnx``, ``scaling.json``
and ``model.json``, with ``{name}/channels.json`` beside the versions. Versions are strings of
digits; a version never changes once it is there.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from pipelines.errors import ConfigurationError
from pipelines.models.channels import Channels
from pipelines.models.folder_store import FolderStore
from pipelines.models.model_files import Model
from pipelines.models.s3_store import S3Store
from pipelines.settings import Settings

_FILE = "file://"


class ModelStore(Protocol):
    """A folder, or a bucket of S3. Every method raises UnavailableError where it is away."""

    def names(self) -> list[str]:
        """Return the names of all models, sorted."""
        ...

    def versions(self, name: str) -> list[str]:
        """Return the versions of a model, the oldest first; none where there is no such model."""
        ...

    def channels(self, name: str) -> Channels:
        """Return which versions are stable and candidate; no versions where nothing says so."""
        ...

    def load(self, name: str, version: str) -> Model:
        """Return a version, its SHA-256 checked.

        Raises:
            NotFoundError: there is no such version.
            DataError: its files are malformed or do not have the SHA-256 that it was pushed with.
        """
        ...

    def push(self, name: str, version: str, files: Mapping[str, bytes]) -> Model:
        """Keep a new version for good; ``files`` has the content of each of its three files.

        It does not judge the model; :mod:`pipelines.models.validation` does.

        Raises:
            ConflictError: the version is there already.
            DataError: the files are no model, or the name or version is malformed.
        """
        ...

    def set_channels(self, name: str, channels: Channels, expected: Channels) -> None:
        """Change the channels, if they are still what :meth:`channels` returned before.

        Raises:
            ConflictError: somebody else changed them in between.
        """
        ...


def open_store(settings: Settings) -> ModelStore:
    """Return the store that ``models.url`` names; nothing is asked of it yet.

    Raises:
        ConfigurationError: the address is neither ``file://`` nor ``s3://``.
    """
    url = settings.models.url
    if url.startswith(_FILE) and len(url) > len(_FILE):
        return FolderStore(Path(url.removeprefix(_FILE)))
    parts = urlsplit(url)
    if parts.scheme == "s3" and parts.netloc:
        return S3Store(parts.netloc, parts.path, settings.s3)
    raise ConfigurationError(
        f"setting models.url is {url!r}: give file:///folder or s3://bucket/prefix"
    )
