"""The archive in a folder: a file is written under another name, then renamed."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.errors import ConfigurationError, ImustreamError, UnavailableError

_PARTIAL = ".partial"


class FolderStore:
    """See :class:`pipelines.archive.object_store.ObjectStore`."""

    def __init__(self, root: Path) -> None:
        """Use ``root``, which is made when it is needed."""
        self._root = root.absolute()

    def check(self) -> None:
        """Make the folder."""
        try:
            self._root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._failed(error, f"making the folder {self._root}") from None

    def put(self, path: str, content: bytes) -> None:
        """Write a file durably: it is on the disk under its name when this returns."""
        target = self._root / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            # A writer that was killed has left its own; readers pass over names with a dot first.
            for left in target.parent.glob(f".{target.name}.*{_PARTIAL}"):
                left.unlink(missing_ok=True)
            partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}{_PARTIAL}")
            with partial.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(target)
            _sync_folder(target.parent)
        except OSError as error:
            raise self._failed(error, f"writing {target}") from None

    def open(self, path: str) -> Any:
        """Open a file to be read."""
        try:
            return pa.OSFile(str(self._root / path))
        except FileNotFoundError:
            raise
        except OSError as error:
            raise self._failed(error, f"reading {self._root / path}") from None

    def files(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Yield the files in order of their paths."""
        folder = self._root / Path(prefix) if prefix.endswith("/") else self._root
        try:
            for file in sorted(folder.rglob("*")):
                path = file.relative_to(self._root).as_posix()
                if path.startswith(prefix) and not file.name.startswith(".") and file.is_file():
                    yield path, file.stat().st_size
        except OSError as error:
            raise self._failed(error, f"listing {folder}") from None

    def _failed(self, error: OSError, what: str) -> ImustreamError:
        reason = error.strerror or str(error)
        if isinstance(error, PermissionError | NotADirectoryError | IsADirectoryError):
            return ConfigurationError(
                f"{what} failed: {reason}; correct archive.url or what this user may do there"
            )
        return UnavailableError(f"{what} failed: {reason}; see that the disk is there and has room")


def _sync_folder(folder: Path) -> None:
    """Make the new name itself durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
