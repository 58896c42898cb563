"""A store of models in a bucket of S3, or of what speaks its protocol.

S3 has no transactions, but a put can be conditional. ``model.json`` is put last and only where
none is yet, so a version is whole as soon as it can be seen; ``channels.json`` is put only over
the content that was read.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from pipelines.errors import ConflictError, NotFoundError
from pipelines.models.channels import Channels, read_channels, write_channels
from pipelines.models.model_files import FACTS_FILE, FILES, Model, read_model
from pipelines.models.names import is_name, require_name, require_version, sorted_versions
from pipelines.s3_client import S3_ERRORS, error_code, s3_client, s3_failed
from pipelines.settings import S3Settings

_CHANNELS_FILE = "channels.json"
_MISSING = frozenset({"NoSuchKey", "404"})
_CONDITION_FAILED = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})


class _Found(NamedTuple):
    content: bytes
    etag: str


class S3Store:
    """Models below one prefix of a bucket, laid out as :mod:`pipelines.models.store` says."""

    def __init__(self, bucket: str, prefix: str, settings: S3Settings) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._settings = settings
        self._client = s3_client(settings)

    def names(self) -> list[str]:
        """Return the names of all models, sorted."""
        names = []
        for page in self._pages(self._prefix, Delimiter="/"):
            for entry in page.get("CommonPrefixes", []):
                names.append(entry["Prefix"][len(self._prefix) :].rstrip("/"))
        return sorted(filter(is_name, names))

    def versions(self, name: str) -> list[str]:
        """Return the versions of a model, the oldest first."""
        require_name(name)
        prefix = f"{self._prefix}{name}/"
        versions = []
        for page in self._pages(prefix):
            for entry in page.get("Contents", []):
                version, _, file = entry["Key"][len(prefix) :].partition("/")
                if file == FACTS_FILE:
                    versions.append(version)
        return sorted_versions(versions)

    def channels(self, name: str) -> Channels:
        """Return which versions are stable and candidate."""
        return self._channels(name)[0]

    def load(self, name: str, version: str) -> Model:
        """Return a version, its SHA-256 checked."""
        require_name(name)
        require_version(version)
        found = {file: self._get(self._key(name, version, file)) for file in reversed(FILES)}
        if found[FACTS_FILE] is None:
            where = self._address("")
            raise NotFoundError(f"model {name} has no version {version} in {where}")
        files = {file: one.content for file, one in found.items() if one is not None}
        return read_model(name, version, files, self._address(f"{name}/{version}"))

    def push(self, name: str, version: str, files: Mapping[str, bytes]) -> Model:
        """Keep a new version for good."""
        require_name(name)
        require_version(version)
        model = read_model(name, version, files, f"{name}/{version}")
        if version in self.versions(name):
            raise ConflictError(
                f"model {name} has a version {version} already in {self._address('')}: "
                "versions never change; push it as a new one"
            )
        for file in FILES:
            self._put_new(self._key(name, version, file), files[file])
        return model

    def set_channels(self, name: str, channels: Channels, expected: Channels) -> None:
        """Change the channels, if they are still the expected ones."""
        present, etag = self._channels(name)
        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        key = self._key(name, _CHANNELS_FILE)
        if present != expected or not self._put(key, write_channels(channels), condition):
            raise ConflictError(
                f"the channels of model {name} were changed by somebody else just now: "
                f"look at them (`imustream models show {name}`), then try again"
            )

    def _channels(self, name: str) -> tuple[Channels, str | None]:
        require_name(name)
        found = self._get(self._key(name, _CHANNELS_FILE))
        if found is None:
            return Channels(), None
        where = self._address(f"{name}/{_CHANNELS_FILE}")
        return read_channels(found.content, where), found.etag

    def _put_new(self, key: str, content: bytes) -> None:
        """Put an object that no other content may have taken the place of.

        The same content may be there: of a push that was cut off, or of a put that boto3 repeated
        because the answer to the first was lost.
        """
        if self._put(key, content, {"IfNoneMatch": "*"}):
            return
        found = self._get(key)
        if found is None or found.content != content:
            raise ConflictError(
                f"s3://{self._bucket}/{key} was put by another push: push as another version"
            )

    def _put(self, key: str, content: bytes, condition: dict[str, str]) -> bool:
        """Put an object; return False where the condition does not hold."""
        with self._asking(key):
            try:
                self._client.put_object(Bucket=self._bucket, Key=key, Body=content, **condition)
            except S3_ERRORS as error:
                # Where the object that should match has gone, S3 says that there is none.
                if error_code(error) in _CONDITION_FAILED | _MISSING:
                    return False
                raise
        return True

    def _get(self, key: str) -> _Found | None:
        with self._asking(key):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=key)
                return _Found(answer["Body"].read(), answer["ETag"])
            except S3_ERRORS as error:
                if error_code(error) in _MISSING:
                    return None
                raise

    def _pages(self, prefix: str, **options: str) -> Iterator[dict[str, Any]]:
        with self._asking(prefix):
            paginator = self._client.get_paginator("list_objects_v2")
            yield from paginator.paginate(Bucket=self._bucket, Prefix=prefix, **options)

    @contextmanager
    def _asking(self, key: str) -> Iterator[None]:
        try:
            yield
        except S3_ERRORS as error:
            what = f"a call of the model store (models.url) for s3://{self._bucket}/{key}"
            raise s3_failed(error, what, self._settings) from None

    def _key(self, *parts: str) -> str:
        return self._prefix + "/".join(parts)

    def _address(self, path: str) -> str:
        return f"s3://{self._bucket}/{self._prefix}{path}"
