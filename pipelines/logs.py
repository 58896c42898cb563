"""How every process of ours logs: as text, or as one JSON object a line, to standard error.

:func:`configure_logging` is called once in each process, before anything else of ours runs there.
What a line is about stands beside its message, by ``extra=`` or :func:`log_context`: sensor_id,
topic, partition, offset, pipeline, slot, request_id and whatever else helps. There is no line for
a record: the id of a frame's raw record, ``topic/partition/offset``, is what ``imustream trace``
follows.
"""

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, TextIO
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr
from pythonjsonlogger.json import JsonFormatter

from pipelines.settings import LoggingSettings, Settings

OURS: Final = ("imustream", "pipelines", "actors", "serve", "cluster", "simulator")
"""The loggers that the level of the settings is for; others' tell warnings."""

HIDDEN: Final = "**********"
_LEAST_SECRET: Final = 4
"""A secret shorter than this would hide half of every line."""

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "time"}

_NAMES: Final = {
    "levelname": "level",
    "name": "logger",
    "process": "pid",
    "threadName": "thread",
    "exc_info": "exception",
}
"""What the standard library calls it, and what a JSON line does."""

_context: ContextVar[Mapping[str, Any]] = ContextVar(
    "imustream_log_context", default=MappingProxyType({})
)


@contextmanager
def log_context(**fields: Any) -> Iterator[None]:
    """Put fields on every line that is logged inside, by this task or thread."""
    token = _context.set({**_context.get(), **fields})
    try:
        yield
    finally:
        _context.reset(token)


def configure_logging(
    settings: Settings,
    role: str,
    *,
    least: int = logging.NOTSET,
    stream: TextIO | None = None,
    **fields: Any,
) -> None:
    """Let this process log as the settings say; what was configured before no longer counts.

    Args:
        settings: ``logging`` says how; no secret of them appears in a line.
        role: what this process is: bridge, slot, supervisor, api, live, inference, command, ...
        least: a level below which nothing of ours is told, whatever the settings say.
        stream: where to; standard error if None.
        fields: what is on every line besides, such as pipeline and slot.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.addFilter(_WithFields({"role": role, **fields}))
    handler.setFormatter(_Masked(formatter_of(settings.logging), secrets_of(settings)))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    level = max(logging.getLevelNamesMapping()[settings.logging.level], least)
    for name in OURS:
        logging.getLogger(name).setLevel(level)
    # Ray's own lines about this process come in the same form.
    ray = logging.getLogger("ray")
    ray.handlers.clear()
    ray.propagate = True


def formatter_of(settings: LoggingSettings) -> logging.Formatter:
    """Return what makes a line of a log record."""
    if settings.format == "json":
        return JsonFormatter(
            ["time", "levelname", "name", "message", "process", "threadName"],
            rename_fields=_NAMES,
            json_default=str,
            json_ensure_ascii=False,
        )
    return _Text()


def secrets_of(model: BaseModel) -> frozenset[str]:
    """Return the secrets among settings, and the passwords in those that are addresses."""
    found: set[str] = set()
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            found |= secrets_of(value)
        elif isinstance(value, SecretStr):
            secret = value.get_secret_value()
            found |= {secret, _password(secret)}
    return frozenset(secret for secret in found if len(secret) >= _LEAST_SECRET)


def _password(secret: str) -> str:
    """Return the password of an address; empty where it is none or has none."""
    try:
        return urlsplit(secret).password or ""
    except ValueError:
        return ""


def utc_time(record: logging.LogRecord) -> str:
    """Return when a record was logged: ISO 8601 in UTC, to the microsecond."""
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


class _WithFields(logging.Filter):
    """Puts the process's fields and those of the context on a record, where it has none itself."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        super().__init__()
        self._fields = fields

    def filter(self, record: logging.LogRecord) -> bool:
        for name, value in {**self._fields, **_context.get()}.items():
            if not hasattr(record, name):
                setattr(record, name, value)
        record.time = utc_time(record)
        return True


class _Text(logging.Formatter):
    """``time LEVEL logger: message [name=value ...]``, an exception below it."""

    def __init__(self) -> None:
        super().__init__("%(time)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        line = super().formatMessage(record)
        named = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        return f"{line} [{' '.join(f'{name}={value}' for name, value in named.items())}]"


class _Masked(logging.Formatter):
    """Hides secrets in whatever line another formatter makes."""

    def __init__(self, inner: logging.Formatter, secrets: frozenset[str]) -> None:
        super().__init__()
        self._inner = inner
        escaped = {json.dumps(secret, ensure_ascii=False)[1:-1] for secret in secrets}
        # The longest first: one may be part of another.
        self._secrets = sorted(secrets | escaped, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        line = self._inner.format(record)
        for secret in self._secrets:
            line = line.replace(secret, HIDDEN)
        return line
