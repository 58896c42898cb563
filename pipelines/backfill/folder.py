"""Where Parquet files lie: a local folder or an S3 prefix, behind one of Arrow's file systems."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from pyarrow import fs

from pipelines.errors import ConfigurationError, UnavailableError
from pipelines.settings import S3Settings

_TEMPORARY = ".part"


class Folder:
    """The files below one url; paths are relative to it and use ``/``."""

    def __init__(self, url: str, s3: S3Settings) -> None:
        """Open ``file:///folder``, ``file://folder`` (relative) or ``s3://bucket/prefix``.

        Raises:
            ConfigurationError: the url is neither.
        """
        self.url = url
        parts = urlsplit(url)
        if parts.scheme == "file":
            self._local: Path | None = Path(parts.netloc + parts.path).resolve()
            self.root = str(self._local)
            self.filesystem: fs.FileSystem = fs.LocalFileSystem()
        elif parts.scheme == "s3" and parts.netloc:
            self._local = None
            self.root = (parts.netloc + parts.path).rstrip("/")
            self.filesystem = _s3(s3)
        else:
            raise ConfigurationError(
                f"{url!r} is no place for an archive; write file:///folder or s3://bucket/prefix"
            )

    def path(self, relative: str) -> str:
        """Return a path as the file system wants it."""
        return f"{self.root}/{relative}"

    def files(self, below: str) -> Iterator[str]:
        """Yield the relative path of every whole file below a folder, in order.

        Raises:
            UnavailableError: the file system does not answer.
        """
        selector = fs.FileSelector(self.path(below), allow_not_found=True, recursive=True)
        try:
            found = self.filesystem.get_file_info(selector)
        except OSError as error:
            raise self._unavailable(error) from None
        root = PurePosixPath(self.root)
        for info in sorted(found, key=lambda info: str(info.path)):
            if info.type == fs.FileType.File and not info.path.endswith(_TEMPORARY):
                yield str(PurePosixPath(info.path).relative_to(root))

    def read(self, relative: str) -> bytes | None:
        """Return a file's bytes, or None if it is not there."""
        try:
            with self.filesystem.open_input_stream(self.path(relative)) as stream:
                return bytes(stream.read())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unavailable(error) from None

    def write(self, relative: str, content: bytes) -> None:
        """Write a file so that it is there whole or not at all.

        Raises:
            UnavailableError: it could not be written.
        """
        try:
            if self._local is None:
                with self.filesystem.open_output_stream(self.path(relative)) as stream:
                    stream.write(content)
                return
            path = self._local / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(path.name + _TEMPORARY)
            part.write_bytes(content)
            part.replace(path)
        except OSError as error:
            raise self._unavailable(error) from None

    def _unavailable(self, error: OSError) -> UnavailableError:
        return UnavailableError(f"{self.url} cannot be used ({error}); see that it is there")


def _s3(settings: S3Settings) -> fs.FileSystem:
    secret = settings.secret_key
    endpoint = urlsplit(settings.endpoint_url or "")
    return fs.S3FileSystem(
        access_key=settings.access_key,
        secret_key=None if secret is None else secret.get_secret_value(),
        region=settings.region,
        endpoint_override=endpoint.netloc or None,
        scheme=endpoint.scheme or "https",
    )
