"""A store of models in a folder of this machine, or of a file system that machines share."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pipelines.errors import ConflictError, NotFoundError, UnavailableError
from pipelines.models.channels import Channels, read_channels, write_channels
from pipelines.models.model_files import FACTS_FILE, FILES, Model, read_model
from pipelines.models.names import is_name, require_name, require_version, sorted_versions

_CHANNELS_FILE = "channels.json"
_LOCK_FILE = ".channels.lock"
_UNFINISHED = ".unfinished-"


class FolderStore:
    """Models below one folder, laid out as :mod:`pipelines.models.store` says."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        """Return the names of all models, sorted."""
        return sorted(name for name in _folders_in(self._folder) if is_name(name))

    def versions(self, name: str) -> list[str]:
        """Return the versions of a model, the oldest first."""
        require_name(name)
        found = _folders_in(self._folder / name)
        return sorted_versions(
            [version for version in found if (self._folder / name / version / FACTS_FILE).exists()]
        )

    def channels(self, name: str) -> Channels:
        """Return which versions are stable and candidate."""
        require_name(name)
        path = self._folder / name / _CHANNELS_FILE
        try:
            return read_channels(path.read_bytes(), str(path))
        except FileNotFoundError:
            return Channels()
        except OSError as error:
            raise _unreadable(path, error) from None

    def load(self, name: str, version: str) -> Model:
        """Return a version, its SHA-256 checked."""
        where = str(self._folder / name / version)
        return read_model(name, version, self.files(name, version), where)

    def files(self, name: str, version: str) -> dict[str, bytes]:
        """Return the content of a version's files.

        Raises:
            NotFoundError: there is no such version.
        """
        require_name(name)
        require_version(version)
        folder = self._folder / name / version
        if not folder.is_dir():
            raise NotFoundError(f"model {name} has no version {version} in {self._folder}")
        return files_in(folder)

    def push(self, name: str, version: str, files: Mapping[str, bytes]) -> Model:
        """Keep a new version for good."""
        require_name(name)
        require_version(version)
        model = read_model(name, version, files, f"{name}/{version}")
        target = self._folder / name / version
        with _writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=target.parent))
            try:
                for file in FILES:
                    _write(unfinished / file, files[file])
                unfinished.chmod(0o755)
                # A folder takes the place of an empty folder only: a version that is there stays.
                unfinished.rename(target)
                _sync_folder(target.parent)
            except OSError as error:
                if not target.exists():
                    raise
                raise ConflictError(
                    f"model {name} has a version {version} already in {self._folder}: "
                    "versions never change; push it as a new one"
                ) from error
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
        return model

    def set_channels(self, name: str, channels: Channels, expected: Channels) -> None:
        """Change the channels, if they are still the expected ones."""
        require_name(name)
        folder = self._folder / name
        path = folder / _CHANNELS_FILE
        with _writing(path):
            folder.mkdir(parents=True, exist_ok=True)
            with _locked(folder / _LOCK_FILE):
                if self.channels(name) != expected:
                    raise ConflictError(
                        f"the channels of model {name} were changed by somebody else just now: "
                        f"look at them (`imustream models show {name}`), then try again"
                    )
                partial = folder / f"{_UNFINISHED}{_CHANNELS_FILE}"
                _write(partial, write_channels(channels))
                partial.replace(path)
                _sync_folder(folder)


def files_in(folder: Path) -> dict[str, bytes]:
    """Return the content of those of a model's files that a folder has, by their names."""
    files = {}
    for file in FILES:
        try:
            files[file] = (folder / file).read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise _unreadable(folder / file, error) from None
    return files


def _folders_in(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir() if entry.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise _unreadable(folder, error) from None


def _unreadable(path: Path, error: OSError) -> UnavailableError:
    return UnavailableError(
        f"the model store cannot read {path}: {error.strerror}; mend that, or set models.url"
    )


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnavailableError(
            f"the model store cannot write {path}: {error.strerror}; mend that, or set models.url"
        ) from None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
