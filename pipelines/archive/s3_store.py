"""The archive in an S3 bucket, where a put shows a whole object or none."""

import io
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from pipelines.s3_client import S3_ERRORS, error_code, s3_client, s3_failed
from pipelines.settings import S3Settings

_ABSENT = ("NoSuchKey", "404")


class S3Store:
    """See :class:`pipelines.archive.object_store.ObjectStore`."""

    def __init__(self, settings: S3Settings, bucket: str, prefix: str) -> None:
        """Use the objects of ``bucket`` whose keys begin with ``prefix/``."""
        self._settings = settings
        self._client = s3_client(settings)
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""

    def check(self) -> None:
        """Look for the bucket, as a client that may list it."""
        try:
            self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1)
        except S3_ERRORS as error:
            raise s3_failed(error, f"listing s3://{self._bucket}", self._settings) from None

    def put(self, path: str, content: bytes) -> None:
        """Put an object."""
        key = self._prefix + path
        try:
            self._client.put_object(Bucket=self._bucket, Key=key, Body=content)
        except S3_ERRORS as error:
            raise self._failed(error, "writing", key) from None

    def open(self, path: str) -> Any:
        """Open an object; what is read of it is fetched by ranges."""
        key = self._prefix + path
        try:
            size = self._client.head_object(Bucket=self._bucket, Key=key)["ContentLength"]
        except S3_ERRORS as error:
            if error_code(error) in _ABSENT:
                raise FileNotFoundError(f"s3://{self._bucket}/{key}") from None
            raise self._failed(error, "reading", key) from None
        return pa.PythonFile(_RangedObject(self, key, size), mode="r")

    def files(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Yield the objects in order of their keys."""
        pages = self._client.get_paginator("list_objects_v2")
        try:
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix + prefix):
                for found in page.get("Contents", ()):
                    yield found["Key"].removeprefix(self._prefix), found["Size"]
        except S3_ERRORS as error:
            raise self._failed(error, "listing", self._prefix + prefix) from None

    def read_range(self, key: str, start: int, end: int) -> bytes:
        """Return the bytes of an object from ``start`` up to, not with, ``end``."""
        try:
            answer = self._client.get_object(
                Bucket=self._bucket, Key=key, Range=f"bytes={start}-{end - 1}"
            )
            content: bytes = answer["Body"].read()
        except S3_ERRORS as error:
            raise self._failed(error, "reading", key) from None
        return content

    def _failed(self, error: Exception, what: str, key: str) -> Exception:
        return s3_failed(error, f"{what} s3://{self._bucket}/{key}", self._settings)


class _RangedObject(io.RawIOBase):
    """An object as a file, each read of which is one request."""

    def __init__(self, store: S3Store, key: str, size: int) -> None:
        self._store = store
        self._key = key
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = base + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        end = self._size if size < 0 else min(self._size, self._at + size)
        if end <= self._at:
            return b""
        content = self._store.read_range(self._key, self._at, end)
        self._at += len(content)
        return content
