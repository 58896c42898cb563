"""Where the archive's files are kept: a folder or an S3 bucket, written a whole file at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from pipelines.archive.folder_store import FolderStore
from pipelines.archive.s3_store import S3Store
from pipelines.errors import ConfigurationError
from pipelines.settings import S3Settings, Settings

_FILE = "file://"
_S3 = "s3://"


class ObjectStore(Protocol):
    """Files by path below the archive's root, such as ``imu-data-all/dt=.../...parquet``.

    Every method raises UnavailableError where the store does not answer or has no room, and
    ConfigurationError where trying again cannot help.
    """

    def check(self) -> None:
        """See that the store answers."""

    def put(self, path: str, content: bytes) -> None:
        """Write a file, in place of one that is there. Readers see all of it or none."""

    def open(self, path: str) -> Any:
        """Open a file to be read, as pyarrow takes it; raises FileNotFoundError."""

    def files(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Yield path and size in bytes of each file whose path begins with ``prefix``."""


def open_store(settings: Settings) -> ObjectStore:
    """Return the store of ``archive.url``.

    Raises:
        ConfigurationError: it is no such address.
    """
    return store_at(settings.archive.url, settings.s3, "setting archive.url")


def store_at(url: str, s3: S3Settings, said_by: str) -> ObjectStore:
    """Return the store at an address, which ``said_by`` has given.

    Raises:
        ConfigurationError: it is no such address.
    """
    if url.startswith(_FILE) and len(url) > len(_FILE):
        return FolderStore(Path(url.removeprefix(_FILE)))
    bucket, _, prefix = url.removeprefix(_S3).partition("/")
    if url.startswith(_S3) and bucket:
        return S3Store(s3, bucket, prefix.strip("/"))
    raise ConfigurationError(
        f"{said_by}: {url!r} is neither file:///folder nor s3://bucket/prefix; correct it"
    )
