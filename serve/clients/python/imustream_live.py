"""Live streams of imustream in Python: subscribe, iterate, and never mind lost connections.

    async with LiveClient("ws://127.0.0.1:8000", token=token) as client:
        async for message in client.subscribe("transformed", sensor="sensor1", max_hz=30):
            print(message.columns["timestamp_us"], message.columns["accl_mag"])

One connection carries all subscriptions. When it is lost the client comes back by itself, ever more
slowly, and each subscription goes on after the last message it was given: nothing is missed while
the server still has it, and what it has no more is reported as :class:`Missed`.

This file needs `websockets` and `numpy`, and `pyarrow` for ``format="arrow"``; it imports nothing
of imustream, so it can be copied to where it is used. The protocol is docs/websocket-protocol.md.
"""

import asyncio
import inspect
import itertools
import json
import logging
import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import astuple, dataclass, field
from types import TracebackType
from typing import Any, Literal
from urllib.parse import urlencode

import numpy as np
import numpy.typing as npt
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

log = logging.getLogger("imustream.live")

TokenSource = str | Callable[[], str | Awaitable[str]] | None

_FIRST_WAIT_S = 0.25
_LONGEST_WAIT_S = 15.0
_STEADY_S = 5.0
"""A connection that lived as long was a good one: the next wait is short again."""
_OPEN_TIMEOUT_S = 10.0
_LARGEST_MESSAGE = 16 * 1024 * 1024
_BAD_REQUEST = 1008
_TOO_LARGE = 1009
_LOGIN_ENDED = 4401
_FORBIDDEN = 4403
_REFUSED_STATUS = (401, 403)


class LiveError(Exception):
    """The server refuses, and would again: a subscription, or the whole connection.

    code: 1008, the request is wrong; 4401, the log-in has ended; 4403, it is not allowed
    """

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(f"{detail} ({code})")
        self.code = code
        self.detail = detail


@dataclass(frozen=True)
class Message:
    """What one record of Kafka holds for a subscription.

    sensor_id: None for alarms
    seq:       counts this connection's messages of the subscription, those dropped included
    dropped:   messages dropped since it was connected, because this program was slow
    columns:   arrays of equal length ``(n,)``
    model:     who made predictions: ``name``, ``version``, ``sha256``; else None
    """

    stream: str
    sensor_id: str | None
    partition: int
    offset: int
    seq: int
    dropped: int
    columns: Mapping[str, npt.NDArray[Any]]
    model: Mapping[str, str] | None


Positions = dict[int, int]
"""The last offset that lies behind, by partition."""


@dataclass(frozen=True)
class Missed:
    """Offsets of a partition that the server has no more, both included."""

    partition: int
    from_offset: int
    to_offset: int
    detail: str


class Subscription:
    """An asynchronous iterator over the messages of one stream, until it is closed.

    positions: the last offset given of each partition; hand it to ``resume`` of another program
    missed:    the latest reports of what was missed
    """

    def __init__(
        self, number: int, wish: Mapping[str, Any], positions: Mapping[int, int], bound: int
    ) -> None:
        self.number = number
        self.positions = dict(positions)
        self.missed: list[Missed] = []
        self._wish = wish
        self._bound = bound
        self._received = dict(positions)
        self._waiting: deque[Message | Missed | Positions] = deque()
        self._filled = asyncio.Event()
        self._taken = asyncio.Event()
        self._ended = False
        self._error: LiveError | None = None

    def __aiter__(self) -> AsyncIterator[Message]:
        return self

    async def __anext__(self) -> Message:
        while True:
            while not self._waiting:
                if self._error is not None:
                    raise self._error
                if self._ended:
                    raise StopAsyncIteration
                self._filled.clear()
                await self._filled.wait()
            found = self._waiting.popleft()
            self._taken.set()
            self.positions.update(_positions(found))
            if isinstance(found, Message):
                return found
            if isinstance(found, Missed):
                # The latest hundred stay.
                self.missed = [*self.missed[-99:], found]

    def command(self) -> dict[str, Any]:
        """Return the command that begins it, or goes on with it after a lost connection."""
        resume = {str(partition): offset for partition, offset in self._received.items()}
        begin = {"type": "subscribe", "id": self.number, **self._wish}
        return {**begin, "from": resume} if resume else begin

    async def take(self, found: "Message | Missed | Positions") -> None:
        """Add what came; wait while the program is busy with what came before."""
        self._received.update(_positions(found))
        while len(self._waiting) >= self._bound and not self._ended:
            self._taken.clear()
            await self._taken.wait()
        self._waiting.append(found)
        self._filled.set()

    def end(self, error: LiveError | None = None) -> None:
        """Give what has come, then end the iteration, by ``error`` where there is one."""
        self._error = self._error or error
        self._ended = True
        self._filled.set()
        self._taken.set()


@dataclass
class LiveClient:
    """A connection that comes back by itself. Use it as an asynchronous context manager.

    url:     of the server, such as ``ws://127.0.0.1:8000``
    token:   of the log-in, or what makes one; it is asked anew for each connection
    format:  ``json``, or ``arrow`` for less to send and to decode
    bound:   messages kept for each subscription while the program is busy; beyond it nothing is
             read, and the server drops the oldest and says how many
    """

    url: str
    token: TokenSource = None
    format: Literal["json", "arrow"] = "json"
    bound: int = 256
    _subscriptions: dict[int, Subscription] = field(default_factory=dict, init=False)
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1), init=False)
    _socket: ClientConnection | None = field(default=None, init=False)
    _refused: LiveError | None = field(default=None, init=False)
    _running: "asyncio.Task[None] | None" = field(default=None, init=False)

    async def __aenter__(self) -> "LiveClient":
        self._running = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        for subscription in self._subscriptions.values():
            subscription.end()

    def subscribe(
        self,
        stream: str,
        *,
        sensor: str | None = None,
        max_hz: float | None = None,
        resume: Mapping[int, int] | None = None,
    ) -> Subscription:
        """Begin a subscription; iterate over it to get its messages.

        stream: raw, transformed, aggregated, predictions, sessions or alarms
        resume: ``positions`` of an earlier subscription to go on after

        The iteration raises LiveError where the server refuses.
        """
        wish = {"stream": stream, "sensor": sensor, "max_hz": max_hz}
        given = {name: value for name, value in wish.items() if value is not None}
        subscription = Subscription(next(self._numbers), given, resume or {}, self.bound)
        if self._refused is not None:
            subscription.end(self._refused)
        self._subscriptions[subscription.number] = subscription
        self._say(subscription.command())
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription; its iteration ends after what has come."""
        if self._subscriptions.pop(subscription.number, None) is not None:
            self._say({"type": "unsubscribe", "id": subscription.number})
            subscription.end()

    def _say(self, command: Mapping[str, Any]) -> None:
        """Send a command now, or with all others when there is a connection."""
        if self._socket is not None:
            task = asyncio.ensure_future(self._send(self._socket, command))
            task.add_done_callback(lambda done: done.exception())

    async def _send(self, socket: ClientConnection, command: Mapping[str, Any]) -> None:
        await socket.send(json.dumps(command))

    async def _run(self) -> None:
        """Connect again and again until the server refuses for good."""
        attempt = 0
        try:
            while True:
                began = asyncio.get_running_loop().time()
                try:
                    await self._connected()
                except ConnectionClosed as closed:
                    _raise_refusal(closed, can_log_in=callable(self.token))
                except InvalidStatus as refused:
                    status = refused.response.status_code
                    if status in _REFUSED_STATUS and not callable(self.token):
                        raise LiveError(_LOGIN_ENDED, f"HTTP {status}: not let in") from None
                except (OSError, TimeoutError, InvalidHandshake) as error:
                    log.info("cannot connect: %s", error)
                finally:
                    self._socket = None
                lived_s = asyncio.get_running_loop().time() - began
                attempt = 0 if lived_s > _STEADY_S else attempt + 1
                await asyncio.sleep(backoff_s(attempt, random.random()))
        except LiveError as error:
            self._refused = error
            for subscription in self._subscriptions.values():
                subscription.end(error)

    async def _connected(self) -> None:
        token = self.token() if callable(self.token) else self.token
        if inspect.isawaitable(token):
            token = await token
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        query = urlencode({"format": self.format})
        async with connect(
            f"{self.url.rstrip('/')}/ws?{query}",
            additional_headers=headers,
            subprotocols=["imustream"],  # type: ignore[list-item]
            open_timeout=_OPEN_TIMEOUT_S,
            max_size=_LARGEST_MESSAGE,
            compression=None,
        ) as socket:
            self._socket = socket
            for subscription in list(self._subscriptions.values()):
                if subscription.number in self._subscriptions:
                    await self._send(socket, subscription.command())
            async for data in socket:
                if isinstance(data, bytes):
                    await self._take(*arrow_message(data))
                else:
                    await self._handle(json.loads(data))

    async def _handle(self, data: dict[str, Any]) -> None:
        number = data.get("id")
        match data.get("type"):
            case None:
                await self._take(number, json_message(data))
            case "subscribed" | "position":
                positions = {int(p): offset for p, offset in data["positions"].items()}
                await self._take(number, positions)
            case "missed":
                names = ("partition", "from_offset", "to_offset", "detail")
                missed = Missed(*(data[name] for name in names))
                log.warning("partition %d: %d to %d missed: %s", *astuple(missed))
                await self._take(number, missed)
            case "error":
                error = LiveError(data["code"], data["detail"])
                subscription = self._subscriptions.pop(number or 0, None)
                if subscription is not None:
                    subscription.end(error)
                else:
                    log.warning("the server says: %s", error)

    async def _take(self, number: int | None, found: Message | Missed | Positions) -> None:
        subscription = self._subscriptions.get(number or 0)
        if subscription is not None:
            await subscription.take(found)


def backoff_s(attempt: int, at_random: float) -> float:
    """Return how long to wait before an attempt: doubling to 15 s, half of it random in [0, 1)."""
    whole = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0 ** min(attempt, 10))
    return whole * (0.5 + 0.5 * at_random)


def json_message(data: Mapping[str, Any]) -> Message:
    """Return a message of JSON with its columns as arrays; None among numbers stays an object."""
    return Message(
        data["stream"],
        data.get("sensor_id"),
        data["partition"],
        data["offset"],
        data["seq"],
        data["dropped"],
        {name: np.asarray(column) for name, column in data["columns"].items()},
        data.get("model"),
    )


def arrow_message(data: bytes) -> tuple[int, Message]:
    """Return the subscription and the message of an Arrow IPC stream."""
    import pyarrow as pa  # noqa: PLC0415

    table = pa.ipc.open_stream(data).read_all()
    facts = {name.decode(): value.decode() for name, value in table.schema.metadata.items()}
    model = {name: facts.get(f"model-{name}") for name in ("name", "version", "sha256")}
    numbers = {name: int(facts[name]) for name in ("partition", "offset", "seq", "dropped")}
    return int(facts["id"]), Message(
        stream=facts["stream"],
        sensor_id=facts.get("sensor_id"),
        columns={name: table[name].to_numpy() for name in table.column_names},
        model=None if None in model.values() else {k: v for k, v in model.items() if v},
        **numbers,
    )


def _raise_refusal(closed: ConnectionClosed, *, can_log_in: bool) -> None:
    """Raise LiveError where coming back would end the same way."""
    code = closed.rcvd.code if closed.rcvd is not None else 1006
    refusals = {_BAD_REQUEST, _TOO_LARGE, _FORBIDDEN}
    if not can_log_in:
        refusals.add(_LOGIN_ENDED)
    if code in refusals:
        raise LiveError(code, closed.rcvd.reason if closed.rcvd is not None else "")
    log.info("connection lost: %s", closed)


def _positions(found: Message | Missed | Positions) -> Positions:
    if isinstance(found, Message):
        return {found.partition: found.offset}
    if isinstance(found, Missed):
        return {found.partition: found.to_offset}
    return found
