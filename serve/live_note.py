"""What a subscription is told besides its messages, as JSON text. Pure.

Each is an object of ``schemas/websocket-message.schema.json`` with a ``type``.
"""

from collections.abc import Mapping
from typing import Any

import orjson


def subscribed(subscription: int | None, positions: Mapping[int, int]) -> str:
    """It has begun: messages after these offsets follow."""
    return _note("subscribed", subscription, positions=_text_keys(positions))


def position(subscription: int | None, positions: Mapping[int, int]) -> str:
    """Nothing new lies before and at these offsets: go on after them."""
    return _note("position", subscription, positions=_text_keys(positions))


def missed(
    subscription: int | None, stream: str, partition: int, first: int, last: int, why: str
) -> str:
    """Kafka no longer has the records from ``first`` to ``last``."""
    return _note(
        "missed",
        subscription,
        stream=stream,
        partition=partition,
        from_offset=first,
        to_offset=last,
        detail=why,
    )


def caught_up(subscription: int | None) -> str:
    """From now on messages are live."""
    return _note("caught_up", subscription)


def unsubscribed(subscription: int) -> str:
    """It has ended; no message of it follows."""
    return _note("unsubscribed", subscription)


def pong(ping: int | None) -> str:
    """Answer a ping."""
    return _note("pong", ping)


def error(subscription: int | None, code: int, detail: str) -> str:
    """A command was not obeyed."""
    return orjson.dumps(
        {"type": "error", "id": subscription, "code": code, "detail": detail}
    ).decode()


def _note(type_: str, subscription: int | None, **fields: Any) -> str:
    named = {} if subscription is None else {"id": subscription}
    return orjson.dumps({"type": type_, **named, **fields}).decode()


def _text_keys(positions: Mapping[int, int]) -> dict[str, int]:
    return {str(partition): offset for partition, offset in positions.items()}
