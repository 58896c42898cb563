"""Messages encoded once for all who get them: JSON text, or an Arrow IPC stream.

What differs between clients, the subscription's ``id``, ``seq`` and ``dropped``, is put in when a
message is sent: at the end of the JSON text, or in place of digits in the Arrow schema's metadata,
which always are twenty (the format has no other room: its parts are found by their offsets).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import orjson
import pyarrow as pa

from serve.live_wish import Format

Columns = Mapping[str, Any]
"""Lists or arrays of equal length by name."""
Wire = str | bytes
"""What is sent: text, or a binary message."""

_DIGITS = 20
_PERSONAL = ("id", "seq", "dropped")
# No text of ours, and no number, holds these.
_ROOM = {name: f"\x01{name}".ljust(_DIGITS, "\x01") for name in _PERSONAL}


class Source(NamedTuple):
    """Where data came from."""

    stream: str
    partition: int
    offset: int


class Facts(NamedTuple):
    """What a message says besides its columns; ``model`` of predictions only."""

    sensor_id: str | None = None
    model: Mapping[str, str] | None = None


class SharedMessage(Protocol):
    """A message that many clients get."""

    def personal(self, subscription: int | None, seq: int, dropped: int) -> Wire:
        """Return it for one of them; ``subscription`` None at a stream of its own."""


class JsonMessage(NamedTuple):
    """``head`` is the object without its closing brace."""

    head: str

    def personal(self, subscription: int | None, seq: int, dropped: int) -> str:
        """See :class:`SharedMessage`."""
        named = "" if subscription is None else f',"id":{subscription}'
        return f'{self.head}{named},"seq":{seq},"dropped":{dropped}}}'


class ArrowMessage(NamedTuple):
    """An IPC stream, cut where the subscription, ``seq`` and ``dropped`` stand, in ``order``."""

    parts: tuple[bytes, ...]
    order: tuple[str, ...]

    def personal(self, subscription: int | None, seq: int, dropped: int) -> bytes:
        """See :class:`SharedMessage`."""
        values = {"id": subscription or 0, "seq": seq, "dropped": dropped}
        filled = [self.parts[0]]
        for name, part in zip(self.order, self.parts[1:], strict=True):
            filled += (b"%020d" % values[name], part)
        return b"".join(filled)


def encode(source: Source, facts: Facts, columns: Columns, format_: Format) -> SharedMessage:
    """Return a message of ``schemas/websocket-message.schema.json``."""
    if format_ == "arrow":
        return _arrow(source, facts, columns)
    return JsonMessage(_json_head(source, facts, columns))


def _json_head(source: Source, facts: Facts, columns: Columns) -> str:
    message: dict[str, Any] = {"stream": source.stream}
    if facts.sensor_id is not None:
        message["sensor_id"] = facts.sensor_id
    message |= {"partition": source.partition, "offset": source.offset}
    if facts.model is not None:
        message["model"] = facts.model
    message["columns"] = columns
    return orjson.dumps(message, option=orjson.OPT_SERIALIZE_NUMPY)[:-1].decode()


def _arrow(source: Source, facts: Facts, columns: Columns) -> ArrowMessage:
    metadata = {
        "stream": source.stream,
        "partition": str(source.partition),
        "offset": str(source.offset),
        **({} if facts.sensor_id is None else {"sensor_id": facts.sensor_id}),
        **{f"model-{name}": value for name, value in (facts.model or {}).items()},
        **_ROOM,
    }
    arrays = {name: pa.array(column) for name, column in columns.items()}
    batch = pa.record_batch(arrays).replace_schema_metadata(metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return _cut(sink.getvalue().to_pybytes())


def _cut(whole: bytes) -> ArrowMessage:
    at = sorted((whole.index(room.encode()), name) for name, room in _ROOM.items())
    parts, begin = [], 0
    for position, _ in at:
        parts.append(whole[begin:position])
        begin = position + _DIGITS
    return ArrowMessage((*parts, whole[begin:]), tuple(name for _, name in at))
