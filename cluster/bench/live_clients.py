"""Many WebSocket clients in one process, as cheap as they can be, and when each message came.

`python -m cluster.bench.live_clients HOST PORT PREFIX SENSORS CLIENTS OUT`, with the token in
IMUSTREAM_TOKEN. It prints `connected` when all are, listens until its standard input ends, then
writes ``OUT`` (``.npz``) and prints what it took itself as JSON.

Frames are taken from the socket by hand, and of a message only two numbers are read: its first
sample's, which finds the device's frame in the simulator's log, and how many were dropped. A whole
decoding of a message of 64 samples by orjson takes ten times as long as all of this.
"""

import asyncio
import base64
import json
import os
import re
import resource
import sys
import time
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import cast
from urllib.parse import quote

import numpy as np
import psutil
import uvloop

_AT_ONCE = 50
_OPEN_S = 20.0
_SHORT, _LONG = 126, 127
_TEXT, _CLOSE, _PING, _PONG = 0x81, 0x88, 0x89, 0x8A
_NO_MASK = b"\x00\x00\x00\x00"
_FIRST_SAMPLE = re.compile(rb'"sample_index":\[(\d+)')
_DROPPED = re.compile(rb'"dropped":(\d+)}$')
_TAIL = 32


class Arrivals:
    """One row for each message; ``arrived_us`` on this machine's clock."""

    def __init__(self) -> None:
        self.client, self.sample, self.arrived_us = array("q"), array("q"), array("q")
        self.dropped: dict[int, int] = {}
        self.bytes = 0

    def note(self, client: int, text: bytes, now_us: int) -> None:
        """Take a message."""
        first, dropped = _FIRST_SAMPLE.search(text), _DROPPED.search(text, len(text) - _TAIL)
        if first is None or dropped is None:
            raise ValueError(f"not a message of samples: {text[:200]!r}")
        self.client.append(client)
        self.sample.append(int(first[1]))
        self.arrived_us.append(now_us)
        self.dropped[client] = int(dropped[1])
        self.bytes += len(text)

    def save(self, path: Path) -> None:
        """Write the columns."""
        np.savez(
            path,
            client=np.frombuffer(self.client, np.int64),
            sample=np.frombuffer(self.sample, np.int64),
            arrived_us=np.frombuffer(self.arrived_us, np.int64),
        )


class Client(asyncio.Protocol):
    """One client: upgrades, answers pings, and notes what comes."""

    def __init__(self, number: int, request: bytes, arrivals: Arrivals) -> None:
        self._number = number
        self._request = request
        self._arrivals = arrivals
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self.open: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.close_code: int | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Take all whole frames."""
        self._buffer += data
        if not self.open.done():
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            status = bytes(self._buffer[: self._buffer.find(b"\r\n")])
            if b" 101 " not in status:
                self.open.set_exception(ConnectionError(status.decode(errors="replace")))
                return
            del self._buffer[: end + 4]
            self.open.set_result(None)
        while self._take_frame():
            pass

    def connection_lost(self, error: Exception | None) -> None:
        """Note that it is over."""
        self.close_code = self.close_code or 1006
        if not self.open.done():
            self.open.set_exception(error or ConnectionError("closed while connecting"))

    def _take_frame(self) -> bool:
        buffer = self._buffer
        if len(buffer) < 2:
            return False
        length, begin = buffer[1], 2
        if length >= _SHORT:
            begin = 4 if length == _SHORT else 10
            if len(buffer) < begin:
                return False
            length = int.from_bytes(buffer[2:begin])
        end = begin + length
        if len(buffer) < end:
            return False
        kind, payload = buffer[0], bytes(memoryview(buffer)[begin:end])
        del buffer[:end]
        if kind == _TEXT:
            self._arrivals.note(self._number, payload, time.time_ns() // 1_000)
        elif kind == _PING and self._transport is not None:
            self._transport.write(bytes((_PONG, 0x80 | length)) + _NO_MASK + payload)
        elif kind == _CLOSE:
            self.close_code = int.from_bytes(payload[:2])
        return True


def _request(host: str, path: str, token: str) -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
        f"Authorization: Bearer {token}\r\n\r\n"
    ).encode()


async def _listen(arguments: Sequence[str]) -> None:
    host, port, prefix, sensors, clients, out = arguments
    token, arrivals = os.environ["IMUSTREAM_TOKEN"], Arrivals()
    loop = asyncio.get_running_loop()
    connected: list[Client] = []
    for first in range(0, int(clients), _AT_ONCE):
        some = []
        for number in range(first, min(first + _AT_ONCE, int(clients))):
            path = f"/ws/transformed/{quote(f'{prefix}{1 + number % int(sensors)}', safe='')}"
            client = Client(number, _request(host, path, token), arrivals)
            await loop.create_connection(lambda one=client: one, host, int(port))  # type: ignore[misc]
            some.append(client)
        async with asyncio.timeout(_OPEN_S):
            await asyncio.gather(*(client.open for client in some))
        connected += some
    before = resource.getrusage(resource.RUSAGE_SELF)
    began_s = time.monotonic()
    print("connected", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    after = resource.getrusage(resource.RUSAGE_SELF)
    arrivals.save(Path(out))
    codes = [client.close_code for client in connected if client.close_code is not None]
    spent_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    report = {
        "cores": round(spent_s / (time.monotonic() - began_s), 3),
        "cpu_s": round(spent_s, 3),
        "memory_mb": round(psutil.Process().memory_info().rss / 2**20, 1),
        "bytes": arrivals.bytes,
        "dropped": sum(arrivals.dropped.values()),
        "closed": {str(code): codes.count(code) for code in sorted(set(codes))},
    }
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    uvloop.run(_listen(sys.argv[1:]))
