"""One WebSocket client: what it says, what it is sent, and when it must go."""

import asyncio
import contextlib
import time
from collections.abc import Coroutine
from typing import Any, NamedTuple

from starlette.websockets import WebSocket, WebSocketDisconnect

from pipelines.settings import LiveSettings
from serve import live_note
from serve.catch_up import CatchUp
from serve.client_queue import ClientQueue, Outbox
from serve.close_codes import LOGIN_ENDED, POLICY_VIOLATION, ClosingError
from serve.live_reader import LiveReader
from serve.live_subscription import Subscription
from serve.live_watch import Watch, WatchList
from serve.live_wish import (
    Format,
    Ping,
    Subscribe,
    Unsubscribe,
    Wish,
    id_of,
    parse_command,
    wish_of_command,
)
from serve.message_rate import MessageRate
from serve.principal import Principal

_LONGEST_WAIT_S = 86_400.0


class Sources(NamedTuple):
    """Where a replica's messages come from."""

    watches: WatchList
    reader: LiveReader
    catch_up: CatchUp


class _Open(NamedTuple):
    subscription: Subscription
    watch: Watch
    beginning: "asyncio.Task[None]"


class LiveConnection:
    """A client's connection and its subscriptions."""

    def __init__(
        self, websocket: WebSocket, principal: Principal, settings: LiveSettings, sources: Sources
    ) -> None:
        self._websocket = websocket
        self._principal = principal
        self._settings = settings
        self._sources = sources
        self._outbox = Outbox()
        self._answers = ClientQueue(settings.queue_messages, self._outbox)
        self._open: dict[int | None, _Open] = {}

    async def serve_one(self, wish: Wish, patience_s: float) -> None:
        """Serve the one stream of a URL; let the client in once it is read, or Kafka is away.

        Raises:
            ClosingError: the client must go.
        """
        wish.check_allowed(self._principal)
        beginning = self._subscribe(None, wish).beginning
        await asyncio.wait([beginning], timeout=patience_s)
        await self._websocket.accept()
        await self._run(self._receive_nothing())

    async def serve_many(self, format_: Format) -> None:
        """Serve whatever the client subscribes to; raises as :meth:`serve_one`."""
        await self._websocket.accept()
        await self._run(self._obey(format_))

    def note_positions(self) -> None:
        """Tell quiet subscriptions where their client would go on."""
        for subscription, watch, _ in self._open.values():
            subscription.note_position(self._sources.reader, watch)

    def end(self) -> None:
        """End all subscriptions."""
        for number in list(self._open):
            self._unsubscribe(number)

    def take_counts(self) -> tuple[int, int]:
        """Return how many messages were sent and dropped since the last call."""
        outbox = self._outbox
        counts = outbox.given, outbox.dropped
        outbox.given = outbox.dropped = 0
        return counts

    async def _run(self, receiving: Coroutine[Any, Any, None]) -> None:
        with contextlib.suppress(WebSocketDisconnect):
            await _until_first_ends(self._send(), receiving, self._expire())

    async def _send(self) -> None:
        while True:
            wire = await self._outbox.get()
            kind = "text" if isinstance(wire, str) else "bytes"
            await self._websocket.send({"type": "websocket.send", kind: wire})

    async def _receive(self) -> str | None:
        """Return the next message, None for a binary one; too many end the connection."""
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005), message.get("reason"))
        return message.get("text")

    async def _receive_nothing(self) -> None:
        """Read and drop what the client says, so that its going is seen."""
        rate = self._rate()
        while True:
            await self._receive()
            _slow_down(rate)

    async def _obey(self, format_: Format) -> None:
        rate = self._rate()
        while True:
            text = await self._receive()
            _slow_down(rate)
            # A client that reads no answers is read no further.
            await self._answers.room()
            try:
                if text is None:
                    raise ClosingError(POLICY_VIOLATION, "commands are JSON text, not binary")
                answer = self._do(text, format_)
            except ClosingError as error:
                answer = live_note.error(id_of(text or ""), error.code, error.reason)
            if answer is not None:
                self._answers.put_note(answer)

    def _do(self, text: str, format_: Format) -> str | None:
        match parse_command(text):
            case Subscribe() as command:
                wish = wish_of_command(command, format_)
                wish.check_allowed(self._principal)
                if command.id in self._open:
                    raise _refused(f"there is a subscription {command.id}; choose another id")
                if len(self._open) >= self._settings.max_subscriptions:
                    most = self._settings.max_subscriptions
                    raise _refused(f"live.max_subscriptions is {most}; unsubscribe from others")
                self._subscribe(command.id, wish)
                return None
            case Unsubscribe(id=number):
                if number not in self._open:
                    raise _refused(f"there is no subscription {number}")
                self._unsubscribe(number)
                return live_note.unsubscribed(number)
            case Ping(id=number):
                return live_note.pong(number)

    def _subscribe(self, number: int | None, wish: Wish) -> _Open:
        queue = ClientQueue(self._settings.queue_messages, self._outbox, number)
        tells = number is not None or bool(wish.resume)
        subscription = Subscription(wish, number, queue, self._principal.may_see, tells=tells)
        watch = self._sources.watches.add(wish, subscription)
        beginning = asyncio.create_task(self._begin(subscription, watch))
        self._open[number] = _Open(subscription, watch, beginning)
        return self._open[number]

    async def _begin(self, subscription: Subscription, watch: Watch) -> None:
        behind = await subscription.begin(watch, self._sources.reader)
        if behind:
            async with asyncio.TaskGroup() as group:
                for place in behind:
                    group.create_task(self._sources.catch_up.run(subscription, place))

    def _unsubscribe(self, number: int | None) -> None:
        subscription, watch, beginning = self._open.pop(number)
        beginning.cancel()
        subscription.end(self._sources.watches, watch)

    async def _expire(self) -> None:
        while (left_s := self._principal.expires_s - time.time()) > 0:
            await asyncio.sleep(min(left_s, _LONGEST_WAIT_S))
        raise ClosingError(LOGIN_ENDED, "your log-in has ended; log in again")

    def _rate(self) -> MessageRate:
        return MessageRate(self._settings.max_messages_per_s, time.monotonic())


def _slow_down(rate: MessageRate) -> None:
    if not rate.allows(time.monotonic()):
        raise ClosingError(POLICY_VIOLATION, "too many messages; see live.max_messages_per_s")


def _refused(detail: str) -> ClosingError:
    return ClosingError(POLICY_VIOLATION, detail)


async def _until_first_ends(*parts: Coroutine[Any, Any, None]) -> None:
    """Run all; when the first ends, end the others, and raise what it raised."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
