"""The folder that holds all a local stack keeps: data, logs, secret, and what `up` started."""

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from pipelines.errors import UnavailableError
from serve.signing_key import new_key_pem

_SECRET_BYTES = 32


@dataclass(frozen=True)
class StackRecord:
    """What `up` writes down: who the stack is, and the settings it chose beside the user's."""

    stack_id: str
    settings: dict[str, str]


class StateFolder:
    """The state folder of one stack."""

    def __init__(self, path: Path) -> None:
        """Use ``path``, which need not exist yet."""
        self.path = path.resolve()
        self._record = self.path / "stack.json"
        digest = hashlib.sha256(str(self.path).encode()).hexdigest()[:8]
        # Sockets need short paths, which a state folder deep in a home has not.
        self.runtime_dir = Path(tempfile.gettempdir()) / f"imustream-{os.getuid()}-{digest}"

    def create(self) -> None:
        """Make the folders; only this user may read them.

        Raises:
            UnavailableError: a folder cannot be made, or is another user's.
        """
        for folder in (self.path, self.runtime_dir):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise UnavailableError(
                    f"the folder {folder} cannot be made ({error.strerror}): "
                    "choose another with IMUSTREAM_LOCAL__STATE_DIR or TMPDIR"
                ) from None
            if folder.stat().st_uid != os.getuid():
                raise UnavailableError(
                    f"the folder {folder} belongs to another user: "
                    "choose another with IMUSTREAM_LOCAL__STATE_DIR or TMPDIR"
                )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep a second `up` or `down` of the same folder waiting meanwhile."""
        self.create()
        with (self.path / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self.create()  # a `down` that we waited for has removed the folder of sockets
            yield

    def record(self) -> StackRecord | None:
        """What `up` wrote down; None when the stack is down."""
        try:
            return StackRecord(**json.loads(self._record.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def write_record(self, settings: dict[str, str]) -> StackRecord:
        """Write down a new stack, readable by this user only."""
        record = StackRecord(stack_id=uuid.uuid4().hex, settings=settings)
        write_private(self._record, json.dumps(asdict(record), indent=2))
        return record

    def forget_record(self) -> None:
        """Note that the stack is down, and remove its sockets."""
        self._record.unlink(missing_ok=True)
        shutil.rmtree(self.runtime_dir, ignore_errors=True)

    def signing_key(self) -> str:
        """The key that signs log-ins, made once and kept in a file only this user may read."""
        return self._kept_secret("auth.key.pem", new_key_pem)

    def s3_secret(self) -> str:
        """The secret key of the stack's own S3 server, made once and kept in such a file too."""
        return self._kept_secret("s3.secret", lambda: secrets.token_urlsafe(_SECRET_BYTES))

    def mqtt_password(self, user: str) -> str:
        """The password of one of our own users of MQTT, made once and kept likewise."""
        return self._kept_secret(
            f"mqtt-{user}.secret", lambda: secrets.token_urlsafe(_SECRET_BYTES)
        )

    def _kept_secret(self, name: str, make: Callable[[], str]) -> str:
        file = self.path / name
        if not file.is_file():
            write_private(file, make())
        return file.read_text().strip()


def write_private(file: Path, text: str) -> None:
    """Write a file that only this user may read, whole or not at all."""
    partial = file.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as target:
        target.write(text)
    partial.replace(file)
