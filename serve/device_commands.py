"""Commands to devices and what becomes of them: the document of each, and its messages. Pure."""

from enum import StrEnum
from typing import Any, Final

import msgspec
import orjson

from pipelines.errors import DataError

MAX_NAME_CHARACTERS: Final = 64
MAX_ARGUMENTS_BYTES: Final = 16_384
MAX_REPLY_BYTES: Final = 16_384
MAX_EXPIRES_S: Final = 86_400
KEPT_DAYS: Final = 30
"""Commands older than this are dropped when their sensor gets the next one."""

_MAX_ID_CHARACTERS: Final = 64

Document = dict[str, Any]


class State(StrEnum):
    """How far a command is."""

    SENT = "sent"
    """Handed to the broker, and no device listened: it will never arrive."""
    ACKNOWLEDGED = "acknowledged"
    """The broker has it for a device that is subscribed."""
    REPLIED = "replied"
    EXPIRED = "expired"
    """Its time is over without a reply."""


class Reply(msgspec.Struct):
    """What a device answers; ``result`` is any JSON."""

    id: str
    ok: bool
    result: Any = None


def command_document(
    id_: str,
    sensor_id: str,
    name: str,
    arguments: dict[str, Any],
    sent_us: int,
    expires_s: float,
    sent_by: str,
) -> Document:
    """Return the document of a command that is about to be sent.

    Raises:
        DataError: its arguments are too large.
    """
    size = len(orjson.dumps(arguments))
    if size > MAX_ARGUMENTS_BYTES:
        raise DataError(f"the arguments are {size} bytes of JSON, more than {MAX_ARGUMENTS_BYTES}")
    return {
        "_id": id_,
        "sensor_id": sensor_id,
        "name": name,
        # As text: a document may not hold whatever keys and nesting JSON may.
        "arguments": orjson.dumps(arguments).decode(),
        "sent_us": sent_us,
        "expires_us": sent_us + round(expires_s * 1e6),
        "sent_by": sent_by,
        "state": State.SENT.value,
    }


def reply_document(reply: Reply, command: Document, received_us: int) -> Document:
    """Return the document of a reply to ``command``, which has the command's id.

    It is one of its own: what is inserted under an id is inserted once, whoever else writes, while
    two updates of one document may each undo the other where the database is FerretDB.
    """
    return {
        "_id": command["_id"],
        "sensor_id": command["sensor_id"],
        "sent_us": command["sent_us"],
        "replied_us": received_us,
        "reply": orjson.dumps({"ok": reply.ok, "result": reply.result}).decode(),
    }


def command_message(document: Document) -> bytes:
    """Return what the device is sent."""
    return orjson.dumps(
        {
            "id": document["_id"],
            "name": document["name"],
            "arguments": orjson.Fragment(document["arguments"]),
            "expires_us": document["expires_us"],
        }
    )


def read_reply(payload: bytes) -> Reply:
    """Return a device's answer.

    Raises:
        DataError: it is none.
    """
    if len(payload) > MAX_REPLY_BYTES:
        raise DataError(f"{len(payload)} bytes, more than {MAX_REPLY_BYTES}")
    try:
        reply = msgspec.json.decode(payload, type=Reply)
        orjson.dumps(reply.result)
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError) as error:
        raise DataError(str(error)) from None
    if len(reply.id) > _MAX_ID_CHARACTERS:
        raise DataError(f"an id of {len(reply.id)} characters")
    return reply


def shown(document: Document, reply: Document | None, now_us: int) -> dict[str, Any]:
    """Return what the api says of a command and the reply to it."""
    state = document["state"]
    if reply is not None:
        state = State.REPLIED.value
    elif now_us > document["expires_us"]:
        state = State.EXPIRED.value
    return {
        "id": document["_id"],
        "sensor_id": document["sensor_id"],
        "name": document["name"],
        "arguments": orjson.loads(document["arguments"]),
        "sent_us": document["sent_us"],
        "expires_us": document["expires_us"],
        "sent_by": document["sent_by"],
        "state": state,
        "reply": None if reply is None else orjson.loads(reply["reply"]),
        "replied_us": None if reply is None else reply["replied_us"],
    }
